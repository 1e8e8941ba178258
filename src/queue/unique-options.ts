import { type Duration, milliseconds } from '../schema/duration.js'
import { isQueueColumn } from '../schema/queue-column.js'
import { shown } from '../schema/shown.js'
import { NewJobError } from './new-job.js'

/** What becomes of a job that is enqueued while another stands for the same values. */
export type OnConflict = 'ignore' | 'replace' | 'keepEarliest' | 'error'

/** Options of `enqueue`; with `unique` there are more, which {@link UniqueOptions} has. */
export interface EnqueueOptions {
  /** How long from now, by the database's clock, the jobs are due; in place of `run_at`. Default: at once. */
  readonly delay?: Duration | undefined
  /** The columns by which jobs are unique. Default: none. */
  readonly unique?: 'name at least one column' | undefined
  /** Needs `unique`. */
  readonly onConflict?: NeedsUnique | undefined
  /** Needs `unique`. */
  readonly whileRunning?: NeedsUnique | undefined
  /** Needs `unique`. */
  readonly within?: NeedsUnique | undefined
}

/** Options of `enqueue` for unique jobs. */
export interface UniqueOptions<Column extends string, Within extends Duration | undefined = undefined> {
  /**
   * The columns of your own by which jobs are unique: while one job of these values stands, no other is inserted. By the index that
   * `createUniqueIndex` makes.
   */
  readonly unique: readonly [Column, ...Column[]]
  /** How long from now, by the database's clock, the jobs are due; in place of `run_at`. Default: at once. */
  readonly delay?: Duration | undefined
  /**
   * Where a job stands: `ignore` (default) leaves it as it is; `replace` gives it the new values and the new due time, and all attempts;
   * `keepEarliest` leaves its values, and lets it be due at the earlier of both times; `error` throws a `JobExistsError`.
   */
  readonly onConflict?: OnConflictOf<Within> | undefined
  /**
   * Where the job that stands has begun: `ignore` (default) lets it stand and changes nothing; `queue` counts only jobs that have not
   * begun, so that one more is inserted, which may run beside it.
   */
  readonly whileRunning?: WhileRunningOf<Within> | undefined
  /** At most one job of these values in so long, by when it was enqueued, also where it has ended. Default: no such limit. */
  readonly within?: Within
}

type NeedsUnique = "needs the columns: unique: ['...']"
type OnConflictOf<Within> = [Within] extends [undefined]
  ? OnConflict
  : 'ignore' | 'error' | "within counts jobs that have ended, which can't be changed"
type WhileRunningOf<Within> = [Within] extends [undefined]
  ? 'ignore' | 'queue'
  : 'within counts running jobs, so that none can be queued beside them'

/** Options that are invalid, or that can't go together; the message has the reason. */
export class EnqueueOptionError extends TypeError {
  override readonly name = 'EnqueueOptionError'
  readonly code = 'INVALID_OPTION'
}

/** How jobs are unique. */
export interface Uniqueness {
  readonly columns: readonly string[]
  readonly onConflict: OnConflict
  /** Only jobs that no worker has begun stand. */
  readonly onlyWaiting: boolean
  /** Milliseconds for which a job stands after it was enqueued; undefined: no longer than until it has ended. */
  readonly within: number | undefined
}

/** The options as they come, whoever has checked them. */
interface Given {
  readonly unique?: unknown
  readonly onConflict?: unknown
  readonly whileRunning?: unknown
  readonly within?: unknown
}

const optionNames: readonly string[] = ['delay', 'unique', 'onConflict', 'whileRunning', 'within']

/** Refuses, for callers without a compiler, options that there are none of. @throws EnqueueOptionError with the names that there are */
export function checkNames(options: unknown): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new EnqueueOptionError(`The options are ${shown(options)}; give an object, as in { delay: '5m' }`)
  const unknown = Object.keys(options).filter((name) => !optionNames.includes(name))
  if (unknown.length > 0)
    throw new EnqueueOptionError(`${unknown.join(', ')}: no such option; there are ${optionNames.join(', ')}`)
}

/** How jobs are to be unique; undefined: not at all. @throws EnqueueOptionError, DurationError */
export function uniquenessOf(given: Given): Uniqueness | undefined {
  const { unique, onConflict = 'ignore', whileRunning = 'ignore', within } = given
  if (unique === undefined) {
    for (const name of ['onConflict', 'whileRunning', 'within'] as const) {
      if (given[name] !== undefined)
        throw new EnqueueOptionError(`${name} needs the option unique: name the columns by which jobs are unique`)
    }
    return undefined
  }
  checkChoice('onConflict', onConflict, ['ignore', 'replace', 'keepEarliest', 'error'])
  checkChoice('whileRunning', whileRunning, ['ignore', 'queue'])
  if (within !== undefined) checkTogether(onConflict, given.whileRunning)
  return {
    columns: columnsOf(unique),
    onConflict,
    onlyWaiting: whileRunning === 'queue',
    within: within === undefined ? undefined : windowOf(within),
  }
}

function columnsOf(unique: unknown): readonly string[] {
  if (!Array.isArray(unique) || unique.length === 0) {
    throw new EnqueueOptionError(
      `unique: ${shown(unique)} names no columns; give them as an array, as in ['user_id', 'template']`,
    )
  }
  for (const [i, name] of unique.entries()) {
    if (typeof name !== 'string') throw new EnqueueOptionError(`unique: ${shown(name)} is no column's name`)
    if (isQueueColumn(name)) {
      throw new EnqueueOptionError(`unique: ${name} is a column of the queue; jobs are unique by columns of your own`)
    }
    if (unique.indexOf(name) < i) throw new EnqueueOptionError(`unique: ${name} is named twice`)
  }
  return unique
}

function windowOf(within: unknown): number {
  const window = milliseconds(within as Duration, 'within') // which says what is wrong with anything else
  if (window > 0) return window
  throw new EnqueueOptionError('within: 0 is no time in which a job could stand; leave it out, or give more')
}

function checkTogether(onConflict: OnConflict, whileRunning: unknown): void {
  if (onConflict === 'replace' || onConflict === 'keepEarliest') {
    throw new EnqueueOptionError(
      `within can't go with onConflict: '${onConflict}': within counts jobs that have ended, which can't be changed; 'ignore' and 'error' can`,
    )
  }
  if (whileRunning === 'queue') {
    throw new EnqueueOptionError(
      "within can't go with whileRunning: 'queue': within counts running jobs, so that none can be queued beside them",
    )
  }
}

function checkChoice<Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
): asserts value is Choice {
  if (choices.some((choice) => choice === value)) return
  throw new EnqueueOptionError(
    `${name}: ${shown(value)} is none of ${choices.map((choice) => `'${choice}'`).join(', ')}`,
  )
}

/** Refuses a row that lacks a value by which it is to be unique. @throws NewJobError naming the column */
export function checkKey(row: object, table: string, columns: readonly string[]): void {
  for (const column of columns) {
    const value: unknown = Object.hasOwn(row, column) ? Reflect.get(row, column) : undefined
    if (value !== null && value !== undefined) continue
    throw new NewJobError(
      `${table}.${column}: ${value}; give a value, as jobs are to be unique by it: null equals nothing, so such a job would never meet another`,
    )
  }
}
