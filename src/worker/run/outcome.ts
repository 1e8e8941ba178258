import type { Outcome } from '../../queue/outcome.js'
import { milliseconds } from '../../schema/duration.js'
import { columnValue } from '../../schema/row.js'
import type { WorkerScope } from '../scope.js'
import { ShutdownError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import { errorText } from './error-text.js'
import { FatalError, type HandlerOutcome, isHandlerOutcome } from './handler-outcome.js'
import { storable } from './result.js'

/** Where `maxAttempts` is a function that fails. */
const fallbackMaxAttempts = 10

/**
 * What to write of a handler that returned.
 * @throws ResultError where the table has a `result` column and the value can't be stored in it
 */
export function outcomeOfValue(scope: WorkerScope, attempt: Attempt, value: unknown): Outcome {
  if (isHandlerOutcome(value)) return outcomeOfVerdict(scope, attempt, value)
  const isPrepared = scope.columns.includes('result') && !scope.settings.deleteSucceeded
  if (!isPrepared || value === undefined) return { kind: 'succeeded' }
  return { kind: 'succeeded', result: storable(value) }
}

/**
 * What to write of a handler that threw: a retry with backoff, or failure when fatal or without attempts left.
 * At the deadline of a shutdown it was us who ended it: the job is handed back with its attempt.
 */
export function outcomeOfError(scope: WorkerScope, attempt: Attempt, thrown: unknown): Outcome {
  if (attempt.abortReason instanceof ShutdownError) return { kind: 'released' }
  const error = scope.settings.describeError(thrown, attempt.job)
  if (isFatal(thrown) || !hasAttemptsLeft(scope, attempt)) return { kind: 'failed', error }
  return { kind: 'retry', error, ...customDelay(scope, attempt, thrown) }
}

/** What to write when the timeout passed; the words are the seed's. */
export function outcomeOfTimeout(scope: WorkerScope, attempt: Attempt, reason: unknown): Outcome {
  const error = 'Timeout reached'
  if (!hasAttemptsLeft(scope, attempt)) return { kind: 'timed_out', error }
  return { kind: 'retry', error, ...customDelay(scope, attempt, reason) }
}

function outcomeOfVerdict(scope: WorkerScope, attempt: Attempt, verdict: HandlerOutcome): Outcome {
  switch (verdict.kind) {
    case 'snooze':
      return { kind: 'snoozed', delay: verdict.delay }
    case 'cancel':
      return { kind: 'cancelled', reason: errorText(verdict.reason) }
    case 'retryIn': {
      const error = errorText(verdict.reason)
      return hasAttemptsLeft(scope, attempt)
        ? { kind: 'retry', error, delay: verdict.delay }
        : { kind: 'failed', error }
    }
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

/** What was thrown may be a proxy that throws at every touch. */
function isFatal(thrown: unknown): boolean {
  try {
    return thrown instanceof FatalError
  } catch {
    return false
  }
}
