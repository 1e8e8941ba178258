import { isDeepStrictEqual } from 'node:util'
import { type Kysely, sql } from 'kysely'
import { countJobs } from 'kysely-jobs'
import { jobStates, nextDueAt } from 'kysely-jobs/queue'
import { interruptionsOf, workerOf } from '../../../src/schema/lease-token.ts'
import { age } from '../mail-jobs.ts'
import { isClaimable, type ModelJob, type ModelLease } from './job.ts'
import { heldBy, type Round, type Verb } from './verbs.ts'

/** What a verb did: ids, or how many of a prune. */
interface Done {
  readonly verb: Verb
  readonly touched: readonly string[] | number
}

/** A job as it stands in the table, and by what it is claimed before others. */
interface Row extends ModelJob {
  readonly priority: number
  readonly dueAt: number
}

/** Plays rounds on several connections, against a table that is empty, and compares with the model after each. */
export class Play {
  readonly #db: Kysely<any>
  readonly #handles: readonly Kysely<any>[]
  #rows: ReadonlyMap<string, Row> = new Map()
  readonly #leases: ModelLease[] = []
  #now = 0

  /** @param handles one for each verb of a round */
  constructor(db: Kysely<any>, handles: readonly Kysely<any>[]) {
    this.#db = db
    this.#handles = handles
  }

  /** @throws where what happened is no work of these verbs, one after the other, in any order */
  async round(round: Round): Promise<void> {
    const known = { jobs: this.#rows, leases: this.#leases }
    const verbs = oncePruned(round.said.map((said) => said(known)))
    const held = heldBy(known, round)
    const done = await this.#perform(verbs, held, round.held?.commits ?? false)
    const after = await readRows(this.#db, this.#now)
    const story = withPruned(done, this.#rows, after)
    for (const id of new Set([...this.#rows.keys(), ...after.keys(), ...story.flatMap(({ touched }) => touched)]))
      this.#explain(id, story, after)
    const [only, ...others] = story
    if (only && others.length === 0) this.#missedNothing(only, held)
    for (const { verb } of done) this.#leases.push(...(verb.leases ?? []))
    this.#rows = after
    await this.#compareReads()
    if (round.passes) await this.#passAnHour()
  }

  async #perform(verbs: readonly Verb[], held: readonly string[], commits: boolean): Promise<Done[]> {
    const trx = await this.#db.startTransaction().execute()
    if (held.length > 0) await trx.selectFrom('mail_jobs').select('id').where('id', 'in', held).forUpdate().execute()
    const doing = verbs.map(async (verb, n): Promise<Done[]> => {
      const touched = await verb.run(this.#handles[n]!).catch(unlessDeadlock) // there are as many
      return touched === undefined ? [] : [{ verb, touched }]
    })
    // who passes over locked rows is done while they are locked; the others may wait for them
    const passing = await Promise.allSettled(doing.filter((_, n) => verbs[n]?.passes))
    if (commits && held.length > 0) await trx.deleteFrom('mail_jobs').where('id', 'in', held).execute()
    await (commits ? trx.commit() : trx.rollback()).execute()
    await Promise.allSettled(doing)
    for (const { verb, touched } of passing.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))) {
      const locked = Array.isArray(touched) && touched.find((id) => held.includes(id))
      if (locked) throw new Error(`${verb.name} touched job ${locked}, which was locked`)
    }
    return [...(await Promise.all(doing)).flat(), ...(commits ? [{ verb: deletes(held), touched: held }] : [])]
  }

  /** A job became what it is by those verbs that touched it, in some order; the others had no reason to. */
  #explain(id: string, story: readonly Story[], after: ReadonlyMap<string, Row>): void {
    const end = after.get(id)
    const told = story.filter(({ verb, touched }) => touched.includes(id) || !verb.passes)
    if (explains(this.#rows.get(id), told, end, id, this.#now)) return
    const what = told.filter(({ touched }) => touched.includes(id)).map(({ verb }) => verb.name)
    const all = story.map(({ verb }) => verb.name).join(', ')
    const [from, to] = [this.#rows.get(id), end].map((row) => JSON.stringify(row) ?? 'nothing')
    throw new Error(`${all}; touched by ${what.join(', ') || 'none'}, job ${id} went from\n${from} to\n${to}`)
  }

  /** One that was alone took all that it might, but for what was locked; of what it may claim, the first. */
  #missedNothing({ verb, touched }: Story, held: readonly string[]): void {
    const left = [...this.#rows].filter(([id, row]) => {
      return !touched.includes(id) && !held.includes(id) && verb.change(row, id, this.#now) !== undefined
    })
    if (verb.limit === undefined || touched.length < verb.limit) {
      if (left.length > 0) throw new Error(`${verb.name} left ${left.length} jobs alone that it should have touched`)
      return
    }
    const taken = touched.flatMap((id) => this.#rows.get(id) ?? [])
    const overtaken = left.find(([, row]) => taken.some((other) => isBefore(row, other)))
    if (overtaken) throw new Error(`${verb.name} took another job before ${overtaken[0]}, whose turn it was`)
  }

  /** What the queue says of itself. */
  async #compareReads(): Promise<void> {
    const [states, counts, due] = await Promise.all([
      jobStates(this.#db, 'mail_jobs', [...this.#rows.keys()]),
      countJobs(this.#db, 'mail_jobs', { exact: true }),
      nextDueAt(this.#db, 'mail_jobs'),
    ])
    const rows = [...this.#rows.values()]
    for (const { id, status, worker, attempt } of states) {
      const row = this.#rows.get(String(id))
      if (row?.status !== status || row.worker !== worker || row.attempts !== attempt)
        throw new Error(`jobStates tells another story of job ${id}`)
    }
    const running = rows.filter(({ status }) => status === 'job_status_running').length
    const claimable = rows.filter((row) => isClaimable(row, this.#now)).length
    const isDue = due !== undefined && due <= 0
    const fits = counts.due === claimable && counts.statuses.job_status_running === running && isDue === claimable > 0
    if (states.length !== rows.length || !fits) throw new Error('jobStates, countJobs or nextDueAt miscount')
  }

  async #passAnHour(): Promise<void> {
    await age(this.#db, '1 hour')
    this.#now++
    this.#rows = await readRows(this.#db, this.#now)
  }
}

interface Story {
  readonly verb: Verb
  readonly touched: readonly string[]
}

/** What the user's own transaction does. */
function deletes(held: readonly string[]): Verb {
  const change: Verb['change'] = (job, id) => (job && held.includes(id) ? null : undefined)
  return { name: 'delete', run: async () => held, change, passes: false }
}

function explains(row: ModelJob | undefined, story: readonly Story[], end: Row | undefined, id: string, now: number) {
  if (story.length === 0) return isDeepStrictEqual(modelOf(row), modelOf(end))
  return story.some(({ verb, touched }, n): boolean => {
    const change = verb.change(row, id, now)
    if (touched.includes(id) === (change === undefined)) return false
    return explains(change === undefined ? row : (change ?? undefined), story.toSpliced(n, 1), end, id, now)
  })
}

/** The model knows no turns: who comes first is asked of the table. */
function modelOf(row: (ModelJob & Partial<Row>) | undefined): ModelJob | undefined {
  if (row === undefined) return undefined
  const { priority, dueAt, ...job } = row
  return job
}

const isBefore = (a: Row, b: Row) => a.priority > b.priority || (a.priority === b.priority && a.dueAt < b.dueAt)

/** Two transactions that take the same rows in another order: the server ends one, and nothing of it has happened. */
function unlessDeadlock(error: unknown): undefined {
  if (!(error instanceof Error) || Reflect.get(error, 'code') !== '40P01') throw error
}

/** A prune tells how many it deleted, not which: of two at once nobody could say. */
function oncePruned(verbs: readonly Verb[]): Verb[] {
  return verbs.filter(({ name }, n) => name !== 'prune' || verbs.findIndex((other) => other.name === name) === n)
}

function withPruned(done: readonly Done[], before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>): Story[] {
  const deleting = done.filter(({ verb }) => verb.name.startsWith('delete'))
  const deleted = new Set(deleting.flatMap(({ touched }): unknown => touched))
  const pruned = [...before.keys()].filter((id) => !after.has(id) && !deleted.has(id))
  return done.map(({ verb, touched }) => {
    if (typeof touched !== 'number') return { verb, touched }
    if (touched !== pruned.length)
      throw new Error(`${verb.name} told of ${touched} jobs, and ${pruned.length} are gone`)
    return { verb, touched: pruned }
  })
}

/** The table, in the words of the model. */
async function readRows(db: Kysely<any>, now: number): Promise<Map<string, Row>> {
  const hours = (time: string) =>
    sql<number>`ceil(extract(epoch from ${sql.ref(time)} - now()) / 3600)::int + ${now}::int`
  const rows = await db
    .selectFrom('mail_jobs')
    .select(['id', 'status', 'attempts_count as attempts', 'locked_by', 'priority'])
    .select([hours('run_at').as('runAt'), hours('updated_at').as('updatedAt')])
    .select(sql<number | null>`case when locked_at > '1971-01-01' then ${hours('locked_at')} end`.as('lockedAt'))
    .select(
      sql<number>`case when locked_at < '1971-01-01' then floor(extract(epoch from locked_at))::int else 0 end`.as(
        'marked',
      ),
    )
    .select(sql<string | null>`regexp_replace(last_error, '^(Lease expired .* in a row[)]).*', '\\1')`.as('lastError'))
    .select(sql<number>`extract(epoch from run_at)::float8`.as('dueAt'))
    .execute()
  return new Map(
    rows.map(({ id, locked_by, marked, ...row }) => {
      const interruptions = locked_by === null ? marked : interruptionsOf(locked_by)
      return [id, { ...row, worker: locked_by && workerOf(locked_by), interruptions }]
    }),
  )
}
