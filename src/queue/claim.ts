import type { Expression, SqlBool } from 'kysely'
import type { BackoffRule } from '../predicates/backoff.js'
import { isUnlocked } from '../predicates/claimable.js'
import { isPending } from '../predicates/status.js'
import type { Duration } from '../schema/duration.js'
import type { Jobs } from '../schema/job-database.js'
import type { KeptLimits, Rate } from './allowance.js'
import { type Choice, chosen } from './fenced.js'
import { isNotPaused, type PausedKey } from './paused-keys.js'
import type { Asked } from './returned.js'

/** Jobs by keys: a claim goes from one key that has pending jobs to the next, and takes of each what it may. */
export interface Keyed {
  /** The columns of the key, as the user writes them; none of them is ever null. None: all jobs have one key. */
  readonly by: readonly string[]
  /** No key gives more in one round than comes to it. */
  readonly isFair?: boolean | undefined
  /** At most so many running jobs of a key, and of all keys, over all workers. Each job may have its own limit for its key, in a column. */
  readonly max?: number | { readonly column: string } | undefined
  readonly total?: number | undefined
  /** At most so many starts in so long, of a key, and of all keys. */
  readonly rate?: Rate | undefined
  readonly totalRate?: Rate | undefined
  /** Where other limits of single keys are kept, and how far rates are used. Undefined: there is no such table. */
  readonly kept?: KeptLimits | undefined
  /**
   * One job of a key after the other, in the order in which they were enqueued. A job that fails for good lets the next begin
   * (`continue`), or not until it is retried or deleted (`block`).
   */
  readonly order?: 'continue' | 'block' | undefined
}

/** Whether the jobs that run keep others from being claimed. */
export const countsRunning = ({ max, total, order }: Keyed): boolean =>
  max !== undefined || total !== undefined || order !== undefined

export const isRated = ({ rate, totalRate }: Keyed): boolean => rate !== undefined || totalRate !== undefined

/** Whether claims by keys are counted, and have to wait for each other. */
export const isLimited = (keyed: Keyed): boolean => countsRunning(keyed) || isRated(keyed)

/** What a worker may take, as data: the fetch, the next due time and the poll are made of the same value. */
export interface Claim extends Choice {
  /** The optional columns that it goes by: `priority` (higher runs first) and `started_at`. */
  readonly columns: readonly string[]
  /** Only jobs of this condition, which knows the table as `job`. Whoever has one asks by the user's handle, whose plugins know its names. */
  readonly where?: Expression<SqlBool> | undefined
  /** No job of these keys. */
  readonly paused?: readonly PausedKey[] | undefined
  /** Default: the jobs are taken as they come. */
  readonly keyed?: Keyed | undefined
  /** What is returned of each job, the user's columns. Default: the whole row. */
  readonly select?: Asked['select']
  /** Takes also what was left locked, by a lock that was not renewed for so long. Default: what is locked is never taken. */
  readonly lease?: Duration | undefined
  /** With `priority`: so many milliseconds since `run_at` count as one level more. Default: a job's priority stays as it is. */
  readonly aging?: number | undefined
  /** For a table shared with workers of IHP 1.4 or older: a row in retry is claimed only when this backoff since `updated_at` has passed. */
  readonly retryBackoff?: BackoffRule | undefined
}

/**
 * From where a fetch reads on, as a worker remembers it: what was due before had been claimed, and its index entries are
 * dead. What became due there meanwhile is found by a fetch from the beginning.
 */
export interface Since {
  /** For tables without priority. */
  readonly runAt: Date
  /** Levels of priority from which jobs were claimed and, in the same order, the time of each: arrays as Postgres reads them. */
  readonly levels: string
  readonly times: string
  /** The time of all other levels, as Postgres reads it. */
  readonly others: string
}

/** Whether jobs are claimed level by level, the highest priority first. */
export function isByPriority({ columns }: Claim): boolean {
  return columns.includes('priority')
}

/** After so many milliseconds each a due job counts a level more; undefined: never. */
export function agingOf(claim: Claim): number | undefined {
  return isByPriority(claim) ? claim.aging : undefined
}

/** Whether what was built for a claim serves another. */
export function isSameClaim(one: Claim | undefined, other: Claim): boolean {
  return one?.columns === other.columns && one.except === other.except && one.paused === other.paused
}

/** The jobs that wait for a claim, whether they are due or not. */
export function waitingJobs(jobs: Jobs, claim: Claim) {
  const waiting = waitingAndPaused(jobs, claim)
  return hasPaused(claim) ? waiting.where(isNotPaused(claim.paused)) : waiting
}

/** The same with those whose keys are paused. */
export function waitingAndPaused(jobs: Jobs, claim: Claim) {
  const { where, lease } = claim
  const table = where === undefined ? jobs.db.selectFrom(jobs.table) : jobs.db.selectFrom(jobs.asJob).where(where)
  return chosen(jobs, table.where(isPending()).where(isUnlocked(undefined, lease)), claim)
}

/** Whether jobs of keys are left alone. */
export function hasPaused(claim: Claim): claim is Claim & { readonly paused: readonly PausedKey[] } {
  return claim.paused !== undefined && claim.paused.length > 0
}
