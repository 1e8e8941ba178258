import type { Expression, SqlBool } from 'kysely'
import { type Backoff, exponential, isBackoffRule, linear } from '../predicates/backoff.js'
import type { Keyed } from '../queue/claim.js'
import type { Duration } from '../schema/duration.js'
import type { EngineOptions } from '../schema/engines/engine.js'
import { shown } from '../schema/shown.js'
import type { ListenSource } from '../watch/listener.js'
import { aging, type ClaimOptions, condition } from './claim-options.js'
import { saidOf } from './engine-option.js'
import { keyed } from './key-options.js'
import { listenSource } from './listen-source.js'
import { consoleLogger, type Logger, loggerOf } from './logger.js'
import { atLeast, flag, oneOf, positive, WorkerOptionError } from './option-values.js'
import { type DescribeError, describedBy, errorText } from './run/error-text.js'
import { adviceOnOptions } from './start-advice.js'

/** All optional, and undefined means the default; durations in milliseconds or as `'30s'`. */
export interface WorkerOptions<Job = object, Columns = undefined> {
  /** How many handlers run at once in this worker. Default 16. */
  readonly concurrency?: number | undefined
  /** How many attempts a job has; a `max_attempts` column that holds a number goes first. Default 10. */
  readonly maxAttempts?: number | ((job: Job) => number) | undefined
  /** How long a failed attempt waits before the next. Default `linear({ delay: '30s' })`. */
  readonly backoff?: Backoff<Job> | undefined
  /** How long one attempt may run before its signal aborts and it counts as failed. Default: as long as it likes. */
  readonly timeout?: Duration | undefined
  /**
   * What becomes of a job's row when it succeeds: `keep` (as `finished` says, by default), `delete`, or `archive`: it is
   * moved to the archive that `createJobArchive` makes. Deleted, its `result` goes nowhere. Both need the right to DELETE, and a table that
   * references the row must let it go (`on delete cascade` or `set null`): while it does not, a deletion is refused, and after a lease
   * counts as a failure; a row that the archive refuses is kept.
   */
  readonly succeeded?: 'keep' | 'delete' | 'archive' | undefined
  /** What becomes of the row of a job that has ended, however: `keep` (default), or `archive`. For successes `succeeded` goes first. */
  readonly finished?: 'keep' | 'archive' | undefined
  /** @deprecated Give `succeeded: 'delete'`. */
  readonly deleteSucceeded?: never
  /**
   * The columns that the handler, the events and the other options see of a job, beside `id` and `attempts_count`, which it always has:
   * `select: ['user_id', 'template']`. No other column is sent by the database or parsed. Default: all columns.
   */
  readonly select?: Columns
  /**
   * How jobs are held while they run: by a `'lease'` (default), written and renewed; or, for handlers of milliseconds, where many
   * jobs wait, by a `'transaction'`: their rows stay locked for a moment, in which they look pending, and are written once, when
   * they have ended. What runs longer goes on by a lease; where a connection is cut, a moment's work is done twice.
   */
  readonly hold?: 'lease' | 'transaction' | undefined
  /** With `hold: 'transaction'`: how long such a transaction goes on at most: a third of the lease, or less. Default 100 ms. */
  readonly holdFor?: Duration | undefined
  /** How long after its last heartbeat a worker counts as gone and its jobs run elsewhere. At least 1 s. Default 60 s. */
  readonly lease?: Duration | undefined
  /** How often to look for jobs unasked. Default 60 s, without `listen` 2 s; while the listener is deaf at most 2 s. */
  readonly pollInterval?: Duration | undefined
  /** Where to listen for new jobs: a connection string, a pg config, or a pg Pool whose settings are used. Default: poll only. */
  readonly listen?: ListenSource | undefined
  /** What the database's engine is, or lacks, where that is not found out: `{ name: 'YugabyteDB' }`, `{ listen: false }`. Default: as the server says. */
  readonly engine?: EngineOptions | undefined
  /** Pino's shape. Default: warnings and errors to the console. */
  readonly logger?: Logger | undefined
  /**
   * What becomes of an error's text in `last_error`, events and log lines; of two arguments the second is the job, where
   * the error is of one. Default: name, message, causes and stack, the passwords of URLs masked.
   */
  readonly describeError?: DescribeError<Job> | undefined
  /**
   * For a table shared with workers of IHP 1.4 or older, which leave `run_at` alone when a job fails: claim a row in retry
   * only when the backoff (a rule, no function) since its `updated_at` has passed. Later IHP writes `run_at`. Default false.
   */
  readonly seedBackoff?: boolean | undefined
}

/** The options as the worker uses them: everything decided, durations in milliseconds. */
export interface Settings {
  readonly concurrency: number
  readonly maxAttempts: number | ((job: object) => number)
  readonly backoff: Backoff<object>
  readonly timeout: number
  readonly succeeded: 'keep' | 'delete' | 'archive'
  readonly finished: 'keep' | 'archive'
  readonly select: readonly string[] | undefined
  readonly where: Expression<SqlBool> | undefined
  readonly keyed: Keyed | undefined
  readonly priorityAging: number | undefined
  readonly hold: 'lease' | 'transaction'
  readonly holdFor: number
  readonly lease: number
  readonly pollInterval: number
  readonly listen: ListenSource | undefined
  readonly engine: EngineOptions | undefined
  readonly logger: Logger
  /** Never throws; its text can be stored. */
  readonly describeError: (error: unknown, job?: object) => string
  readonly seedBackoff: boolean
  /** Where the handler takes batches: how many jobs at most, and what becomes of those of a batch that fails. */
  readonly batch?: { readonly size: number; readonly onError: 'retry' | 'bisect' } | undefined
  /** What is suspicious about the options, a sentence each. */
  readonly advice: readonly string[]
}

const defaults = {
  concurrency: 16,
  maxAttempts: 10,
  backoff: linear({ delay: '30s' }),
  timeout: Number.POSITIVE_INFINITY,
  succeeded: undefined,
  finished: 'keep',
  select: undefined,
  where: undefined,
  limit: undefined,
  rate: undefined,
  fifo: undefined,
  onFailure: undefined,
  fairBy: undefined,
  priorityAging: undefined,
  hold: 'lease',
  holdFor: 100,
  lease: '60s',
  pollInterval: undefined,
  listen: undefined,
  engine: undefined,
  logger: consoleLogger,
  describeError: undefined,
  seedBackoff: false,
} as const

/** With a listener polling is a safety net; without one, or while it is deaf, it is all there is. */
export const pollIntervalHeard = 60_000
export const pollIntervalUnheard = 2_000

/** A lease much shorter than a slow network's round trip would only lose jobs to their own worker. */
const shortestLease = 1_000
/** One much longer keeps the jobs of a worker that is gone. */
const longestLease = 86_400_000

/** So many handlers no process runs at once; and so many rows are claimed at once. */
const mostConcurrent = 10_000

/** A worker's options, of whatever table. */
type GivenOptions = WorkerOptions<never, unknown> & { readonly [Name in keyof ClaimOptions<never, never>]?: unknown }

/**
 * Reads a worker's options.
 * @throws WorkerOptionError, DurationError naming the option, its value and the remedy
 */
export function settingsOf(options: GivenOptions = {}): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new WorkerOptionError(`The options are ${shown(options)}; give an object, as in { concurrency: 4 }`)
  }
  refuseUnknown(options)
  const given = { ...defaults, ...definedOnly(options) }
  const settings: Settings = {
    concurrency: atLeast(1, given.concurrency, 'concurrency', 'a whole number of handlers'),
    maxAttempts: attempts(given.maxAttempts),
    backoff: backoff(given.backoff as unknown), // checked there
    timeout: given.timeout === Number.POSITIVE_INFINITY ? given.timeout : positive(given.timeout, 'timeout'),
    succeeded: oneOf(['keep', 'delete', 'archive'], given.succeeded ?? given.finished, 'succeeded'),
    finished: oneOf(['keep', 'archive'], given.finished, 'finished'),
    select: names(given.select),
    where: condition(given.where),
    keyed: keyed(given, oneOf(['lease', 'transaction'], given.hold, 'hold')),
    priorityAging: aging(given.priorityAging),
    hold: oneOf(['lease', 'transaction'], given.hold, 'hold'),
    holdFor: positive(given.holdFor, 'holdFor'),
    lease: positive(given.lease, 'lease'),
    pollInterval: positive(
      given.pollInterval ?? (given.listen === undefined ? pollIntervalUnheard : pollIntervalHeard),
      'pollInterval',
    ),
    listen: source(given.listen),
    engine: saidOf(given.engine),
    logger: loggerOf(given.logger),
    describeError: describing(given.describeError),
    seedBackoff: flag(given.seedBackoff, 'seedBackoff'),
    advice: adviceOnOptions(options),
  }
  if (settings.lease < shortestLease || settings.lease > longestLease) {
    throw new WorkerOptionError(`lease: ${String(given.lease)} is invalid; give at least 1 s and at most 24 h`)
  }
  if (settings.holdFor > settings.lease / 3) {
    throw new WorkerOptionError(`holdFor: ${String(given.holdFor)} is invalid; give at most a third of the lease`)
  }
  if (settings.concurrency > mostConcurrent) {
    throw new WorkerOptionError(`concurrency: ${settings.concurrency} is invalid; give at most ${mostConcurrent}`)
  }
  if (settings.seedBackoff && typeof settings.backoff === 'function') {
    throw new WorkerOptionError(
      'seedBackoff: the database can not call a function; give linear() or exponential() as backoff',
    )
  }
  return settings
}

export const optionNames: readonly string[] = Object.keys(defaults)

/** @throws WorkerOptionError with the names that there are */
export function refuseUnknown(options: object, names = optionNames): void {
  if (Reflect.get(options, 'deleteSucceeded') !== undefined)
    throw new WorkerOptionError("deleteSucceeded: give succeeded: 'delete', or 'archive' or 'keep', in its place")
  const unknown = Object.keys(options).filter((name) => !names.includes(name) && name !== 'deleteSucceeded')
  if (unknown.length > 0)
    throw new WorkerOptionError(`${unknown.join(', ')}: no such option; there are ${names.join(', ')}`)
}

/** An option that is there but undefined means its default, as with exactOptionalPropertyTypes off. */
function definedOnly<Options extends object>(options: Options): DefinedOnly<Options> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as DefinedOnly<Options> // by this filter
}

type DefinedOnly<Options> = { readonly [Name in keyof Options]?: Exclude<Options[Name], undefined> }

function attempts(value: unknown): Settings['maxAttempts'] {
  if (typeof value === 'function') return value as (job: object) => number // its results are checked at each call
  return atLeast(0, value, 'maxAttempts', 'a whole number or a function of the job')
}

function backoff(value: unknown): Backoff<object> {
  const uncalled = [linear, exponential].find((rule) => rule === value)?.name
  if (uncalled !== undefined) {
    throw new WorkerOptionError(`backoff: ${uncalled} is to be called, as in ${uncalled}({ delay: '30s' })`)
  }
  if (typeof value === 'function') return value as Backoff<object> // its results are checked at each call
  if (isBackoffRule(value)) return value
  throw new WorkerOptionError(
    `backoff: ${shown(value)} is invalid; give linear({ delay }), exponential({ delay }) or a function`,
  )
}

function describing(value: unknown): Settings['describeError'] {
  if (value === undefined) return errorText
  if (typeof value === 'function') return describedBy(value as DescribeError<object>) // its results are checked at each call
  throw new WorkerOptionError(`describeError: ${shown(value)} is invalid; give a function of the error and the job`)
}

function names(value: unknown): Settings['select'] {
  const isList = Array.isArray(value) && value.every((name) => typeof name === 'string')
  if (value === undefined || isList) return value && [...value] // later changes of the list are not ours
  throw new WorkerOptionError(`select: ${shown(value)} is invalid; give a list of columns, as in ['user_id']`)
}

function source(value: unknown): ListenSource | undefined {
  const found = listenSource(value)
  if (typeof found === 'object' && 'refused' in found) throw new WorkerOptionError(found.refused)
  return found
}
