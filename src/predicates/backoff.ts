import { type AliasableExpression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { type Duration, isDuration, milliseconds } from '../schema/duration.js'
import { chance, earlier, now } from './clock.js'
import { column, job } from './column.js'

/** How long a failed attempt waits: a rule the database computes. */
export interface BackoffRule {
  /** Milliseconds before the first retry. */
  readonly delay: number
  /** By what each further retry's delay is multiplied: 1 for linear, 2 for exponential. */
  readonly factor: 1 | 2
  /** Milliseconds no delay passes. */
  readonly max: number
  /** The share of the delay, 0 to 1, that chance may take off: with 0.2 a delay of 30 s is 24 to 30 s. */
  readonly jitter: number
}

/** A rule, or a function of the failed attempt (from 1), its error and its job; it gives a duration. */
export type Backoff<Job = unknown> = BackoffRule | ((attempt: number, error: unknown, job: Job) => Duration)

/** 2^52 milliseconds are beyond every cap; a larger exponent would only overflow. */
const maxExponent = 52

/** A jitter that is no share. */
export class JitterError extends RangeError {
  override readonly name = 'JitterError'
  readonly code = 'INVALID_JITTER'
}

/**
 * The same delay before each retry; `jitter` (default 0) is the share of it that chance may take off, so that jobs
 * which failed together don't come back together.
 * @throws DurationError, JitterError
 * @example createWorker(db, 'send_mail_jobs', sendMail, { backoff: linear({ delay: '30s', jitter: 0.2 }) }) // 24 to 30 s
 */
export function linear(options: { delay: Duration; jitter?: number }): BackoffRule {
  const delay = milliseconds(options.delay, 'backoff delay')
  return { delay, factor: 1, max: delay, jitter: share(options.jitter) }
}

/**
 * `delay`, `2 delay`, `4 delay` ... up to `max` (default 24 h), each shortened at random by up to the share `jitter`
 * (default 0), so that jobs which failed together don't come back together.
 * @throws DurationError, JitterError
 * @example exponential({ delay: '5s', max: '1h', jitter: 0.5 }) // 2.5 to 5 s, 5 to 10 s, 10 to 20 s ... 30 to 60 min
 */
export function exponential(options: { delay: Duration; max?: Duration; jitter?: number }): BackoffRule {
  const max = milliseconds(options.max ?? '24h', 'backoff max')
  return { delay: milliseconds(options.delay, 'backoff delay'), factor: 2, max, jitter: share(options.jitter) }
}

/** Whether a value is a rule that linear() or exponential() could have made; one made by hand may hold anything. */
export function isBackoffRule(value: unknown): value is BackoffRule {
  if (typeof value !== 'object' || value === null) return false
  const { delay, factor, max, jitter } = value as Partial<Record<keyof BackoffRule, unknown>> // looked at below
  return isDuration(delay) && isDuration(max) && (factor === 1 || factor === 2) && isShare(jitter)
}

const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1

function share(jitter = 0): number {
  if (isShare(jitter)) return jitter
  throw new JitterError(`backoff jitter: ${String(jitter)} is not a share; give a number from 0 to 1`)
}

/**
 * Milliseconds that the row's next retry waits, from its `attempts_count` (1 after the first attempt).
 * @example db.selectFrom('jobs').select(backoffDelay(linear({ delay: '30s' })).as('waits'))
 */
export function backoffDelay(rule: BackoffRule, table?: string): RawBuilder<number> {
  const attempts = column('attempts_count', table)
  const exponent = sql<number>`least(greatest(${attempts}, 1) - 1, ${sql.lit(maxExponent)})`
  const delay = sql<number>`least(${rule.max}::float8, ${rule.delay}::float8 * power(${sql.lit(rule.factor)}::float8, ${exponent}))`
  return rule.jitter === 0 ? delay : sql<number>`${delay} * (1 - ${rule.jitter}::float8 * ${chance()})`
}

/**
 * The seed's retryQuery: whether the backoff has passed since the failed attempt was written. Our own fetch does
 * not need it (a failure writes the due time into `run_at`); for rows that a worker of IHP 1.4 or older put into retry.
 * Jitter is left out, as it would be drawn anew at every look.
 * @example db.selectFrom('jobs').where(isRetryDue(exponential({ delay: '30s' })))
 */
export function isRetryDue(rule: BackoffRule, table?: string): AliasableExpression<SqlBool> {
  // Taken from now, not added to what the row holds: the sum may be past the last date that Postgres has.
  return job(column('updated_at', table), '<=', earlier(now(), backoffDelay({ ...rule, jitter: 0 }, table)))
}
