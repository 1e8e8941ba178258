import type { Backoff } from '../predicates/backoff.js'
import type { Outcome } from '../queue/outcome.js'
import { settle } from '../queue/settle.js'
import { milliseconds } from '../schema/duration.js'
import type { Job, JobTable, Queryable } from '../schema/job-table.js'
import { attemptOf, columnValue, idOf } from '../schema/row.js'
import { consoleLogger, harmless, type Logger } from '../worker/logger.js'
import { TimeoutError } from '../worker/run/abort-reason.js'
import { errorText } from '../worker/run/error-text.js'

/** How many attempts a job has; the seed's default. */
export const defaultMaxAttempts = 10

export interface ResultOptions {
  /** Pino's shape. Default: warnings and errors to the console. */
  readonly logger?: Logger
}

export interface FailureOptions<Row> extends ResultOptions {
  /** How many attempts a job has. Default 10. */
  readonly maxAttempts?: number | ((job: Row) => number)
  /** How long the next attempt waits; it is written into `run_at`. Default: 30 s. */
  readonly backoff?: Backoff<Row>
}

/**
 * The seed's `jobDidSucceed`. Fenced: the row is written only while it is still the attempt that was fetched.
 *
 * @returns whether it was written
 * @example await jobDidSucceed(db, 'send_mail_jobs', job)
 */
export async function jobDidSucceed<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  job: Job<DB, Table>,
  options: ResultOptions = {},
): Promise<boolean> {
  const result = { outcome: { kind: 'succeeded' }, level: 'info', sentence: 'succeeded job' } as const
  return write<DB, Table>(db, table, job, result, options)
}

/**
 * The seed's `jobDidFail`: into retry while attempts are left, due after the backoff, else failed. Fenced.
 *
 * @param error whatever was thrown; its text, of bounded length, goes to `last_error`
 * @returns whether it was written
 * @example await jobDidFail(db, 'send_mail_jobs', job, error, { maxAttempts: 3, backoff: exponential({ delay: '5s' }) })
 */
export async function jobDidFail<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  job: Job<DB, Table>,
  error: unknown,
  options: FailureOptions<Job<DB, Table>> = {},
): Promise<boolean> {
  const text = errorText(error)
  const outcome = retry(job, error, text, options) ?? { kind: 'failed', error: text }
  const result = { outcome, level: 'warn', sentence: `failed job with exception: ${text}` } as const
  return write<DB, Table>(db, table, job, result, options)
}

/**
 * The seed's `jobDidTimeout`: into retry while attempts are left, due after the backoff, else timed out. Fenced.
 *
 * @returns whether it was written
 * @example await jobDidTimeout(db, 'send_mail_jobs', job)
 */
export async function jobDidTimeout<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  job: Job<DB, Table>,
  options: FailureOptions<Job<DB, Table>> = {},
): Promise<boolean> {
  const text = 'Timeout reached'
  const outcome = retry(job, new TimeoutError(text), text, options) ?? { kind: 'timed_out', error: text }
  const result = { outcome, level: 'warn', sentence: 'job timed out' } as const
  return write<DB, Table>(db, table, job, result, options)
}

/** A retry, where the job has attempts left. */
function retry<Row extends object>(
  job: Row,
  error: unknown,
  text: string,
  { maxAttempts = defaultMaxAttempts, backoff }: FailureOptions<Row>,
): Outcome | undefined {
  const attempt = attemptOf(job)
  if (attempt >= (typeof maxAttempts === 'function' ? maxAttempts(job) : maxAttempts)) return undefined
  const delay = typeof backoff === 'function' && { delay: milliseconds(backoff(attempt, error, job), 'backoff') }
  return { kind: 'retry', error: text, ...delay }
}

interface Result {
  readonly outcome: Outcome
  readonly level: 'info' | 'warn'
  readonly sentence: string
}

/** Writes the outcome of an attempt, fenced by the lease that its row holds, and logs it. */
async function write<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  job: Job<DB, Table>,
  { outcome, level, sentence }: Result,
  { backoff, logger = consoleLogger }: FailureOptions<Job<DB, Table>>,
): Promise<boolean> {
  const lease = { id: idOf(job), attempt: attemptOf(job) }
  const worker = columnValue(job, 'locked_by')
  const options = { worker: String(worker), ...(typeof backoff === 'object' && { backoff }) }
  const isHeld = typeof worker === 'string'
  const written = isHeld ? await settle<DB, Table>(db, table, [{ ...lease, ...outcome }], options) : []
  const isWritten = written.length > 0
  const text = isWritten ? sentence : "the job is no longer this attempt's; nothing was written"
  harmless(logger)[isWritten ? level : 'warn']({ table, ...lease }, `${table}: ${text}`)
  return isWritten
}
