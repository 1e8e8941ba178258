import type { CompiledQuery } from 'kysely'
import { nextAttempt } from '../predicates/attempts.js'
import type { BackoffRule } from '../predicates/backoff.js'
import { clockTimestamp } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { isDueFrom } from '../predicates/due-order.js'
import { claimToken, placeOfClaim } from '../predicates/interruption.js'
import { statusLiteral } from '../predicates/status.js'
import type { Duration } from '../schema/duration.js'
import type { Home } from '../schema/engine.js'
import { type Jobs, jobsOf, jobsOfValue } from '../schema/job-database.js'
import type { Job, JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { hiddenLevel } from '../schema/own-part.js'
import { columnValue } from '../schema/row.js'
import { unlessUndone } from '../schema/undone.js'
import { levelText, nextByAge } from './aging.js'
import { agingOf, type Claim, isByPriority, type Since } from './claim.js'
import { compiled, numberPlace, textPlace } from './compiled.js'
import { nextRows } from './due-rows.js'
import { type Changes, keysOf, type RowKey } from './fenced.js'
import { ofLocked } from './locked.js'
import { prepared } from './prepared.js'
import { levelSince, withPriorityLevels } from './priority-levels.js'
import { type Returned, returnedOf } from './returned.js'
import { dueValues } from './values.js'

export interface FetchOptions<Row> {
  /** The claiming worker's uuid. */
  readonly worker: string
  /** The most rows to claim. */
  readonly limit: number
  /** The optional columns to use: `priority` (higher runs first) and `started_at`. */
  readonly columns?: readonly OptionalColumn<Row>[]
  /**
   * Claims also a pending job that is locked by a worker that has not renewed its lock for so long: IHP's dashboard
   * leaves such rows, as its retry sets the status alone. Default: what is locked is never claimed.
   */
  readonly lease?: Duration | undefined
  /** For a table shared with workers of IHP 1.4 or older: a row in retry is claimed only when this backoff since `updated_at` has passed. */
  readonly retryBackoff?: BackoffRule
  /**
   * Claims only what was due from then on. For a worker that has just claimed all that was due before: while an old
   * transaction keeps vacuum from them, the dead index entries of what it claimed need not be read again (200,000 of
   * them: 3,637 pages a fetch, with it 14 to 196). Has no effect together with `priority`.
   */
  readonly dueSince?: Date
  /** The table's key, where `inspectJobTable` tells one; `leaseOf(job)` then has the job's. */
  readonly key?: string | undefined
  /** The table's home, where `inspectJobTable` tells one that is not Postgres. */
  readonly home?: Home | undefined
}

/**
 * Claims due jobs: locks and takes up to `limit` of them in one statement, whoever else does the same.
 * Each row comes back as running, its `attempts_count` one higher; the rest of it untouched. Earliest `run_at`
 * first, and before that the highest `priority` where asked for; jobs due at the same instant in any order.
 * But in a transaction of yours its commit does not wait for the disk: a crash of the server may forget a claim.
 *
 * Pauses (`pauseJobs`) are for workers: it claims also what is paused.
 *
 * @throws what the table says of a row that it does not let be claimed (a CHECK, a trigger); then none is claimed. A worker passes such a row over.
 * @example
 * const jobs = await fetchNextJobs(db, 'jobs', { worker: randomUUID(), limit: 10 })
 */
export async function fetchNextJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: FetchOptions<DB[Table]>,
): Promise<Job<DB, Table>[]> {
  const jobs = jobsOf(db, table, options)
  const { limit, dueSince, columns = [], ...claim } = options
  const since = dueSince && { runAt: dueSince, levels: '{}', times: '{}', others: '-infinity' }
  const fetched: object[] = []
  for (const some of await nodesToFetch(jobs, { ...claim, columns })) {
    if (fetched.length >= limit) break
    const fetch = compileFetch(some, { ...claim, columns, fromCursor: since !== undefined })
    try {
      fetched.push(...(await fetch(jobs.db, { limit: limit - fetched.length, since })))
    } catch (error) {
      if (fetched.length === 0 || jobs.db.isTransaction) throw error
      break // what was claimed of other nodes is claimed
    }
  }
  return fetched as Job<DB, Table>[] // rows of the user's table, after the user's plugins
}

/** The table; where it is distributed, its rows of each value that has due jobs: those of the first may all be in the hands of others. */
async function nodesToFetch(jobs: Jobs, claim: Claim): Promise<readonly Jobs[]> {
  if (jobs.distributedBy === undefined) return [jobs]
  return (await dueValues(jobs, claim)).map((value) => jobsOfValue(jobs, value))
}

/** What makes a fetch another statement. */
export interface FetchSettings extends Claim {
  readonly worker: string
  /** It will be given a `since`. Default false. */
  readonly fromCursor?: boolean
}

/** A fetch as {@link compileFetch} makes it; what it is given goes along as parameters. */
export type CompiledFetch = (
  db: Jobs['db'],
  given: Omit<Given, 'place'> & {
    /** Claims ahead of free slots: while nobody renews such a lease, its attempt does not count. Default false. */
    readonly ahead?: boolean
    readonly isPrepared?: boolean
  },
) => Promise<object[]>

/** What each run of a fetch is given. */
export interface Given {
  readonly limit: number
  readonly since?: Since | undefined
  /** Of the token of a job that was not interrupted. */
  readonly place: number
}

/** A fetch to be run again and again, without being built each time where the user has no plugins. */
export function compileFetch(jobs: Jobs, claim: FetchSettings): CompiledFetch {
  const claimed = { since: column('locked_at'), by: column('locked_by') } // which the statement has written
  const returned = returnedOf(jobs, { ...claim, claimed, level: levelText(claim) })
  const fetch = compiledClaim(jobs, claim, (given) => build(jobs, claim, returned, given))
  return async (db, { isPrepared = false, ahead = false, ...given }) => {
    const query = fetch({ ...given, place: placeOfClaim(ahead) })
    const { rows } = await unlessUndone(db, () => db.executeQuery(isPrepared ? prepared(jobs, query) : query))
    return inTurn(returned.rowsOf(rows), claim)
  }
}

/** What claims, built once for all that it may be given. */
export function compiledClaim(
  jobs: Jobs,
  { fromCursor }: FetchSettings,
  build: (given: Given) => CompiledQuery<object>,
): (given: Given) => CompiledQuery<object> {
  const from: Since = { runAt: new Date(0), levels: textPlace(), times: textPlace(), others: textPlace() }
  const places = { limit: numberPlace(), place: numberPlace(), ...(fromCursor && from) }
  const claim = compiled<Omit<Given, 'since'> & Partial<Since>, object>(jobs, places, ({ limit, place, ...since }) =>
    build({ limit, place, since: fromCursor ? { ...from, ...since } : undefined }),
  )
  return ({ since, ...given }) => claim({ ...given, ...since })
}

function build(jobs: Jobs, claim: FetchSettings, { isWhole, list }: Returned, given: Given) {
  const { db, isLocked } = ofNext(jobs, claim, given)
  return db
    .updateTable(jobs.table)
    .set(claiming(claim, given.place))
    .where(isLocked)
    .$if(!jobs.db.isTransaction, (query) => query.where(committedLater())) // that of a user waits as they say
    .$if(isWhole, (query) => query.returningAll())
    .$if(list.length > 0, (query) => query.returning(list))
    .compile()
}

/** What a claim writes. */
export function claiming({ worker, columns }: Pick<FetchSettings, 'worker' | 'columns'>, place: number): Changes {
  return {
    status: statusLiteral('job_status_running'),
    locked_at: clockTimestamp(),
    locked_by: claimToken(worker, place),
    attempts_count: nextAttempt(),
    ...(columns.includes('started_at') && { started_at: clockTimestamp() }),
  }
}

/** What tells the row that a fetch would take first; undefined: there is none. */
export async function firstDue(jobs: Jobs, claim: Claim): Promise<RowKey | undefined> {
  const { db, isLocked } = ofNext(jobs, claim, { limit: 1 })
  const [first] = await keysOf(jobs, db.selectFrom(jobs.table).where(isLocked))
  return first
}

function ofNext(jobs: Jobs, claim: Claim, given: Omit<Given, 'place'>) {
  if (isByPriority(claim)) return ofLocked(jobs, nextByPriority(jobs, claim, given))
  const { limit, since } = given
  return ofLocked(jobs, nextRows(jobs, claim, limit, since && job('run_at', '>=', since.runAt)))
}

/** The next rows to take level by level, locked: what is due at the highest priority first, or at the highest level that is reached by now. */
export function nextByPriority(jobs: Jobs, claim: Claim, { limit, since }: Omit<Given, 'place'>) {
  const aging = agingOf(claim)
  if (aging !== undefined) return nextByAge(jobs, claim, aging, { limit, since })
  return withPriorityLevels(jobs, claim, since)
    .selectFrom(own.level)
    .innerJoinLateral(
      nextRows(jobs, claim, limit, since && isDueFrom(levelSince(since)))
        .where((eb) => eb('priority', '=', eb.ref(`${own.level}.priority` as 'priority'))) // in scope of a lateral join only
        .as(own.due),
      (join) => join.onTrue(),
    )
    .selectAll(own.due)
    .limit(limit)
}

/** RETURNING promises no order. Timestamps are compared as the user's driver gives them, where it gives them comparable. */
export function inTurn(rows: object[], claim: Claim): object[] {
  if (rows.length < 2) return rows
  // once for each row, not for each comparison: of a thousand rows there are ten thousand
  const levelOf = agingOf(claim) !== undefined ? hiddenLevel : isByPriority(claim) ? priorityOf : () => 0
  const places = rows.map((row) => ({ row, level: levelOf(row), runAt: runAtOf(row) }))
  places.sort((a, b) => b.level - a.level || compare(a.runAt, b.runAt))
  return places.map(({ row }) => row)
}

function priorityOf(row: object): number {
  return Number(columnValue(row, 'priority') ?? 0)
}

function runAtOf(row: object): string | number {
  const runAt = columnValue(row, 'run_at')
  return typeof runAt === 'string' ? runAt : runAt instanceof Date ? runAt.getTime() : 0
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
