import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { cancelJobs, deleteJobs, enqueue, pruneJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { fetchNextJobs, heartbeat, release, rescue, settle } from 'kysely-jobs/queue'
import { rolledBack } from '../mail-jobs.ts'
import type { Kind, ModelJob, ModelLease } from './job.ts'
import * as model from './job.ts'

/** What the model knows when a verb is said. */
export interface Known {
  readonly jobs: ReadonlyMap<string, ModelJob>
  /** All that were ever given, also those that are lost. */
  readonly leases: readonly ModelLease[]
}

/** A verb about jobs that are chosen. */
export interface Verb {
  readonly name: string
  /** Does it, and gives the ids of the jobs that it touched; of a prune, which tells no ids, how many. */
  run(db: Kysely<any>): Promise<readonly string[] | number>
  /** The job after it: null where it is gone, undefined where the verb leaves it alone. */
  change(job: ModelJob | undefined, id: string, now: number): ModelJob | null | undefined
  /** It passes over rows that are locked, and over more than it may take: what fits may be left alone. */
  readonly passes: boolean
  /** The most jobs that it takes, and the claims that it gave. */
  readonly limit?: number
  readonly leases?: ModelLease[]
}

/** A verb, by numbers that choose among the jobs and leases of the moment. */
export type Said = (known: Known) => Verb

const other = '0b6f4c8e-3d2a-4b53-8f3c-2f8a1d9e7c11'
/** Two, whose leases get mixed up; the first often enough to come by a job again. */
const anyWorker = fc.constantFrom(model.ours, model.ours, model.ours, other)
const kinds: readonly Kind[] = ['succeeded', 'retry', 'retry', 'failed', 'timed_out', 'snoozed', 'cancelled']
const hour = 3_600_000
/** Between what has just happened and what is a step of the clock away. */
const lease = hour / 2

const anyPicks = fc.array(fc.nat(9), { minLength: 1, maxLength: 3 })
const anyDelay = fc.constantFrom(0, 0, 1)

function chosen<Item>(items: readonly Item[], picks: readonly number[]): Item[] {
  return items.length === 0 ? [] : [...new Set(picks.map((pick) => items.at(-1 - (pick % items.length))!))] // not empty
}

const jobsOf = ({ jobs }: Known, picks: readonly number[]) => chosen([...jobs.keys()], picks)
/** One lease of each job. */
const leasesOf = ({ leases }: Known, picks: readonly number[]) => [
  ...new Map(chosen(leases, picks).map((one) => [one.job, one])).values(),
]

const ids = (rows: readonly { readonly id?: unknown }[]) => rows.map(({ id }) => String(id))

/** A verb by its numbers, which a failure shows. */
function said<Numbers>(
  name: string,
  numbers: fc.Arbitrary<Numbers>,
  make: (numbers: Numbers) => Said,
): fc.Arbitrary<Said> {
  return numbers.map((chosen) =>
    Object.assign(make(chosen), { [fc.toStringMethod]: () => `${name} ${JSON.stringify(chosen)}` }),
  )
}

/** A verb over ids, or over all that fits, as the model has it. */
function verb(name: string, run: Verb['run'], change: Verb['change'], passes = false): Verb {
  return { name, run, change, passes }
}

const anyEnqueue = said(
  'enqueue',
  fc.tuple(fc.integer({ min: 1, max: 3 }), anyDelay, fc.nat(1), fc.boolean()),
  ([count, delay, priority, undone]): Said =>
    () => {
      const rows = Array.from({ length: count }, () => ({ priority }))
      const mine = new Set<string>()
      const run = async (db: Kysely<any>) => {
        if (undone) {
          await rolledBack(db, (trx) => enqueue(trx, 'mail_jobs', rows))
          return []
        }
        const inserted = ids(await enqueue(db, 'mail_jobs', rows, { delay: delay * hour }))
        for (const id of inserted) mine.add(id)
        return inserted
      }
      const change: Verb['change'] = (job, id, now) =>
        job === undefined && mine.has(id) ? model.enqueued(now, delay) : undefined
      return verb(undone ? 'enqueue, undone' : 'enqueue', run, change)
    },
)

const anyFetch = said(
  'fetch',
  fc.tuple(anyWorker, fc.integer({ min: 1, max: 3 })),
  ([worker, limit]): Said =>
    () => {
      const leases: ModelLease[] = []
      const run = async (db: Kysely<any>) => {
        const rows = await fetchNextJobs(db, 'mail_jobs', { worker, limit, columns: ['priority'] })
        leases.push(...rows.map((row) => ({ job: row.id, worker, attempt: row.attempts_count })))
        return ids(rows)
      }
      const change: Verb['change'] = (job, id, now) => {
        const attempt = leases.find((one) => one.job === id)?.attempt ?? (job?.attempts ?? 0) + 1
        const taken = job && model.claimed(job, now, worker)
        return taken?.attempts === attempt ? taken : undefined
      }
      return { ...verb('fetch', run, change, true), limit, leases }
    },
)

/** A verb of the holder of leases, of those that are lost as well. */
function byLeases(
  name: string,
  run: (
    db: Kysely<any>,
    worker: string,
    leases: readonly { id: string; attempt: number }[],
  ) => Promise<{ id: unknown }[]>,
  change: (job: ModelJob, now: number, lease: ModelLease) => ModelJob | undefined,
  passes = false,
): (known: Known, picks: readonly number[]) => Verb {
  return (known, picks) => {
    const all = leasesOf(known, picks)
    const worker = all[0]?.worker ?? ''
    const mine = all.filter((one) => one.worker === worker)
    const shown = mine.map(({ job, attempt }) => ({ id: job, attempt }))
    return verb(
      name,
      async (db) => (mine.length === 0 ? [] : ids(await run(db, worker, shown))),
      (job, id, now) => {
        const held = mine.find((one) => one.job === id)
        return job && held && change(job, now, held)
      },
      passes,
    )
  }
}

const anySettle = said(
  'settle',
  fc.tuple(fc.constantFrom(...kinds), anyDelay, anyPicks),
  ([kind, delay, picks]): Said =>
    (known) => {
      // each kind takes what it needs of these
      const ending = { kind, delay: delay * hour, error: 'it went wrong', reason: 'enough' } as const
      const run = (db: Kysely<any>, worker: string, leases: readonly { id: string; attempt: number }[]) =>
        settle(db, 'mail_jobs', leases.map((one) => ({ ...one, ...ending })) as never, { worker })
      return byLeases(kind, run, (job, now, held) => model.settled(job, now, held, kind, delay))(known, picks)
    },
)

const anyRelease = said('release', anyPicks, (picks) => {
  const verb = byLeases(
    'release',
    (db, worker, leases) => release(db, 'mail_jobs', leases, { worker }),
    (job, now, held) => model.settled(job, now, held, 'released', 0),
  )
  return (known) => verb(known, picks)
})

const anyHeartbeat = said('heartbeat', anyPicks, (picks) => {
  const verb = byLeases(
    'heartbeat',
    (db, worker, leases) => heartbeat(db, 'mail_jobs', leases, { worker }),
    model.renewed,
    true,
  )
  return (known) => verb(known, picks)
})

/** A verb of a caretaker, over ids. */
function byHand(
  name: string,
  run: (db: Kysely<any>, ids: string[]) => Promise<readonly string[]>,
  change: (job: ModelJob, now: number) => ModelJob | null | undefined,
): (known: Known, picks: readonly number[]) => Verb {
  return (known, picks) => {
    const mine = jobsOf(known, picks)
    const changeMine: Verb['change'] = (job, id, now) => (job && mine.includes(id) ? change(job, now) : undefined)
    return verb(name, async (db) => run(db, mine), changeMine)
  }
}

const anyHand = said(
  'by hand',
  fc.tuple(fc.constantFrom('cancel', 'retry', 'reschedule', 'delete', 'delete by SQL'), anyDelay, anyPicks),
  ([name, delay, picks]) => {
    const hands = {
      cancel: byHand(
        'cancel',
        async (db, ids) => (await cancelJobs(db, 'mail_jobs', { ids })).map(String),
        model.cancelled,
      ),
      retry: byHand(
        'retry',
        async (db, ids) => (await retryJobs(db, 'mail_jobs', { ids }, { delay: delay * hour })).map(String),
        (job, now) => model.retried(job, now, delay),
      ),
      reschedule: byHand(
        'reschedule',
        async (db, ids) => (await rescheduleJobs(db, 'mail_jobs', { ids }, { delay: delay * hour })).map(String),
        (job, now) => model.rescheduled(job, now, delay),
      ),
      delete: byHand(
        'delete',
        async (db, ids) => (await deleteJobs(db, 'mail_jobs', { ids })).map(String),
        model.deleted,
      ),
      'delete by SQL': byHand(
        'delete by SQL',
        async (db, those) =>
          ids(
            await db
              .deleteFrom('mail_jobs')
              .where((eb) => eb('id', '=', eb.fn.any(eb.val(those))))
              .returning('id')
              .execute(),
          ),
        () => null,
      ),
    }
    return (known) => hands[name](known, picks)
  },
)

const upkeep = {
  rescue: verb(
    'rescue',
    async (db) => ids(await rescue(db, 'mail_jobs', { lease, maxAttempts: model.maxAttempts })),
    (job, _id, now) => job && model.rescued(job, now),
    true,
  ),
  prune: verb(
    'prune',
    (db) => pruneJobs(db, 'mail_jobs', { olderThan: lease }),
    (job, _id, now) => (job && model.isOld(job, now) ? null : undefined),
    true,
  ),
}

const anyUpkeep = said('upkeep', fc.constantFrom<keyof typeof upkeep>('rescue', 'prune'), (name) => () => upkeep[name])

const anyVerb = fc.oneof(
  { weight: 2, arbitrary: anyEnqueue },
  { weight: 5, arbitrary: anyFetch },
  { weight: 6, arbitrary: anySettle },
  { weight: 1, arbitrary: anyRelease },
  { weight: 1, arbitrary: anyHeartbeat },
  { weight: 3, arbitrary: anyHand },
  { weight: 3, arbitrary: anyUpkeep },
)

/** Verbs that are said at once, while a transaction of the user holds some rows; then the clock may move on. */
export const anyRound = fc.record({
  said: fc.array(anyVerb, { minLength: 1, maxLength: 4 }),
  /** Rows that are locked meanwhile; committed, the transaction deletes them. */
  held: fc.option(fc.record({ picks: anyPicks, commits: fc.boolean() }), { freq: 2 }),
  passes: fc.boolean(),
})
export type Round = { said: Said[]; held: { picks: number[]; commits: boolean } | null; passes: boolean }

export const heldBy = (known: Known, { held }: Round) => (held === null ? [] : jobsOf(known, held.picks))
