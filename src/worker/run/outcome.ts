import type { Outcome } from '../../queue/outcome.js'
import { milliseconds } from '../../schema/duration.js'
import { columnValue } from '../../schema/row.js'
import type { WorkerScope } from '../scope.js'
import { ShutdownError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import { errorText } from './error-text.js'
import { type HandlerOutcome, isFatal, isHandlerOutcome } from './handler-outcome.js'
import { jsonOf } from './result.js'

/** Where `maxAttempts` is a function that fails. */
const fallbackMaxAttempts = 10

const succeeded: Outcome = { kind: 'succeeded' }

/**
 * What to write of a handler that returned.
 * @throws ResultError where the table has a `result` column and the value can't be stored in it
 */
export function outcomeOfValue(scope: WorkerScope, attempt: Attempt, value: unknown): Outcome {
  if (isHandlerOutcome(value)) return returnedOutcome(scope, attempt, value)
  const isStored = scope.columns.includes('result') && scope.settings.succeeded !== 'delete'
  if (!isStored || value === undefined) return succeeded
  return { kind: 'succeeded', json: jsonOf(value) }
}

/**
 * What to write of a handler that threw: a retry with backoff, or failure when fatal or without attempts left.
 * At the deadline of a shutdown it was us who ended it: the job is released with its attempt.
 */
export function outcomeOfError(scope: WorkerScope, attempt: Attempt, thrown: unknown): Outcome {
  if (attempt.abortReason instanceof ShutdownError || isOursToRepeat(scope, attempt)) return { kind: 'released' }
  const error = isHandlerOutcome(thrown)
    ? `The handler threw ${thrown.kind}(...): to have its effect it must be returned, as in return ${thrown.kind}(...)`
    : scope.settings.describeError(thrown, attempt.job)
  if (isFatal(thrown) || !hasAttemptsLeft(scope, attempt)) return { kind: 'failed', error }
  return { kind: 'retry', error, ...customDelay(scope, attempt, thrown) }
}

/**
 * Its heartbeat kept its transaction from completing: the worker's fault, so that the attempt does not count. Only where it
 * began before the worker learned of it: from then on it has another cause.
 */
function isOursToRepeat({ snapshots }: WorkerScope, attempt: Attempt): boolean {
  const { conflicted, wasHeld, begunAt = Number.NaN } = attempt
  return conflicted && snapshots.conflictedAt !== undefined && (wasHeld || begunAt < snapshots.conflictedAt)
}

/** What to write when the timeout passed; the words are the seed's. */
export function outcomeOfTimeout(scope: WorkerScope, attempt: Attempt, reason: unknown): Outcome {
  const error = 'Timeout reached'
  if (!hasAttemptsLeft(scope, attempt)) return { kind: 'timed_out', error }
  return { kind: 'retry', error, ...customDelay(scope, attempt, reason) }
}

/** Checked again, as another version of this package may have made it. */
function returnedOutcome(scope: WorkerScope, attempt: Attempt, returned: HandlerOutcome): Outcome {
  switch (returned.kind) {
    case 'snooze':
      return { kind: 'snoozed', delay: milliseconds(returned.delay, 'snooze') }
    case 'cancel':
      return { kind: 'cancelled', reason: errorText(returned.reason) }
    case 'retryIn': {
      const error = errorText(returned.reason)
      return hasAttemptsLeft(scope, attempt)
        ? { kind: 'retry', error, delay: milliseconds(returned.delay, 'retryIn') }
        : { kind: 'failed', error }
    }
    default:
      throw new TypeError('The handler returned an outcome of a version of kysely-jobs that this worker does not know')
  }
}

/** How many attempts a job has: its own `max_attempts` column, else the option. */
export function maxAttemptsOf(scope: WorkerScope, job: object): number {
  const own = scope.columns.includes('max_attempts') ? columnValue(job, 'max_attempts') : null
  if (own !== null && own !== undefined) return Number(own) // of a bigint column pg makes text
  const { maxAttempts } = scope.settings
  if (typeof maxAttempts === 'number') return maxAttempts
  try {
    const limit = maxAttempts(job)
    if (Number.isSafeInteger(limit) && limit >= 0) return limit
    throw new RangeError(`maxAttempts() gave ${String(limit)}, which is no number of attempts`)
  } catch (error) {
    scope.report(error, `calling maxAttempts(); ${fallbackMaxAttempts} is used`)
    return fallbackMaxAttempts
  }
}

function hasAttemptsLeft(scope: WorkerScope, { job, attempt }: Attempt): boolean {
  return attempt < maxAttemptsOf(scope, job)
}

/** The delay that the user's own backoff function gives; a rule is left to the database. */
function customDelay(scope: WorkerScope, { job, attempt }: Attempt, thrown: unknown): { delay?: number } {
  const { backoff } = scope.settings
  if (typeof backoff !== 'function') return {}
  try {
    return { delay: milliseconds(backoff(attempt, thrown, job), 'backoff') }
  } catch (error) {
    scope.report(error, 'calling backoff(); 30 s are used')
    return {}
  }
}
