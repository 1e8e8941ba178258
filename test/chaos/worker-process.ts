/** A worker process under fault: node worker-process.ts <settings as JSON>. It is told to end by SIGTERM. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import { createBatchWorker, createRunner, createWorker, guardPool, type Job, linear } from 'kysely-jobs'
import pg from 'pg'
import { ballast, ballastAtRest } from './ballast.ts'
import { oddities } from './oddities.ts'
import { type ProbeTimes, probeOften } from './probes.ts'
import type { Act, ChaosDatabase, Signature, WitnessDatabase } from './tables.ts'
import { epoch, Witness } from './witness.ts'

export interface ProcessSettings {
  /** The database under fault, through the proxy where there is one. */
  readonly url: string
  readonly witness: string
  /** The options of its worker, as far as scenarios choose them; durations in milliseconds. */
  readonly lease: number
  readonly pollInterval: number
  readonly concurrency: number
  /** How long transactions hold its jobs, in milliseconds, in place of leases. */
  readonly holdFor?: number
  /** How many jobs its handler takes at once, in a transaction. */
  readonly batch?: number
  readonly maxAttempts: number
  readonly listens: boolean
  /** How long handlers may run on after SIGTERM. */
  readonly deadline: number
  readonly poolSize: number
  /** Tells of its worker and what goes wrong, but not of each job: of a million that would be too much. */
  readonly brief: boolean
  /** Where it listens, where that is not `url`, and how often it probes, where that is not our default (milliseconds). */
  readonly listenUrl?: string
  readonly probes?: ProbeTimes
  /** How long a handler may run, in milliseconds. */
  readonly timeout?: number
  /** Its wall clock is days off, and jumps. */
  readonly jumpingClock?: boolean
  /** Its heap, in megabytes, where jobs are to exhaust it. */
  readonly heap?: number
}

const settings: ProcessSettings = JSON.parse(process.argv[2] ?? '')
const before = ballast()
const witnessPool = new pg.Pool({ connectionString: settings.witness, max: 4 })
const witnessDb = new Kysely<WitnessDatabase>({ dialect: new PostgresDialect({ pool: witnessPool }) })
const witness = new Witness(witnessDb)
const pool = guardPool(
  new pg.Pool({ connectionString: settings.url, max: settings.poolSize, application_name: `chaos ${process.pid}` }),
)
const db = new Kysely<ChaosDatabase>({ dialect: new PostgresDialect({ pool }) })

interface Situation {
  readonly takes: number
  readonly attempt: number
  readonly signal: AbortSignal
  effect(): Promise<void>
  /** Keeps a connection of the pool for its time. */
  hold(): Promise<void>
}

const acts: Record<Act, (situation: Situation) => Promise<void>> = {
  work: ({ takes, signal }) => sleep(takes, undefined, { signal }),
  stubborn: ({ takes }) => sleep(takes),
  block: async ({ takes, attempt }) => {
    if (attempt > 1) return
    const since = epoch()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, takes)
    await witness.silent({ pid: process.pid, since, until: epoch() })
  },
  complete: async ({ takes, effect }) => {
    await sleep(takes)
    await effect()
  },
  hold: async ({ attempt, hold }) => {
    if (attempt === 1) await hold()
  },
  exit: ({ takes }) => sleep(takes).then(() => process.exit(7)),
  exhaust: async ({ takes }) => {
    await sleep(takes)
    for (const hoard: number[][] = []; ; ) hoard.push(new Array(1_000_000).fill(0))
  },
  crash: async ({ takes }) => {
    await sleep(takes)
    process.kill(process.pid, 'SIGSEGV')
    await sleep(10_000) // a signal takes a moment
  },
  odd: async ({ takes, signal }) => oddities[takes]?.act(signal) as Promise<void>, // or whatever else it gives
}

const { lease, pollInterval, concurrency, maxAttempts } = settings
const listenUrl = settings.listenUrl ?? settings.url
if (settings.probes) probeOften(db, listenUrl, settings.probes)
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
/** What a job is given by its worker, however that calls its handler. */
interface Given {
  readonly signal: AbortSignal
  readonly attempt: number
  effect(): Promise<void>
}

function handle(job: Job<ChaosDatabase, 'chaos_jobs'>, { signal, attempt, effect }: Given): Promise<any> {
  const hold = () =>
    db.transaction().execute(async (trx) => {
      await trx.selectFrom('effects').select('job_id').limit(1).execute()
      await sleep(job.takes)
    })
  const done = witness.watch(job.id, attempt, signal, async () => {
    const given = await acts[job.act]({ takes: job.takes, attempt, signal, effect, hold })
    return (given as Signature | undefined) ?? { pid: process.pid, attempt } // of what is odd, anything
  })
  // When an odd one has really ended, which no event of the worker tells, and its slot is free.
  if (job.act === 'odd') done.catch(() => {}).finally(() => setImmediate(tellHealth))
  return done
}

const options = {
  ...{ lease, pollInterval, maxAttempts, logger: quiet },
  backoff: linear({ delay: 100 }),
  ...(settings.listens && { listen: listenUrl }),
  ...(settings.timeout && { timeout: settings.timeout }),
}
const worker =
  settings.batch === undefined
    ? createWorker(
        db,
        'chaos_jobs',
        (job, { signal, attempt, complete }) => {
          const effect = () =>
            db.transaction().execute(async (trx) => {
              await trx.insertInto('effects').values({ job_id: job.id, attempt }).execute()
              await complete(trx, { pid: process.pid, attempt })
            })
          return handle(job, { signal, attempt, effect })
        },
        { ...options, concurrency, ...(settings.holdFor && { hold: 'transaction', holdFor: settings.holdFor }) },
      )
    : createBatchWorker(
        db,
        'chaos_jobs',
        (jobs, { signal, trx }) =>
          Promise.allSettled(
            jobs.map((job) => {
              const attempt = job.attempts_count
              const effect = async () => {
                await trx.insertInto('effects').values({ job_id: job.id, attempt }).execute()
              }
              return handle(job, { signal, attempt, effect })
            }),
          ),
        { ...options, size: settings.batch, concurrency: Math.ceil(concurrency / settings.batch), hold: 'transaction' },
      )
const told = ['started', 'succeeded', 'retry', 'failed', 'lost', 'released', 'rescued', 'listener', 'error'] as const
for (const event of settings.brief ? (['started', 'listener', 'error'] as const) : told)
  worker.on(event, (facts: object) => process.send?.({ event, facts: shown(facts) }))
process.on('message', tellHealth)
await witness.hasWorker(worker.id)
/** Whoever interrupts a run leaves no processes behind. */
const orphaned = () => process.exit(1)
process.once('disconnect', orphaned)
process.once('SIGTERM', () => process.send?.({ event: 'asked', facts: {} }))
const running = createRunner(db, { workers: [worker], deadline: settings.deadline }).run()
process.send?.({ event: 'ready', facts: {} })
await running.catch((error: Error) => {
  console.error(`process ${process.pid} could not start: ${error.message}`)
  process.exit(1)
})
process.send?.({ event: 'ran', facts: {} })
await db.destroy()
await witness.told()
await witnessDb.destroy()
process.send?.({ event: 'left', facts: { before, after: await ballastAtRest(before) } }, () => {
  process.off('disconnect', orphaned).disconnect()
})

function tellHealth(): void {
  process.send?.({ event: 'health', facts: worker.health() })
}

/** As much of an event as a scenario looks at. */
function shown(payload: Record<string, any>): object {
  const { job, jobs, error, reason, ...facts } = payload
  const cause = error ?? reason
  return {
    ...facts,
    ...(job && { job: job.id }),
    ...(jobs && { jobs: jobs.map(({ id }: { id: string }) => id) }),
    ...(cause && { cause: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause) }),
  }
}
