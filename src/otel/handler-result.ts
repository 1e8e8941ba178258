import type { Attempt } from '../worker/run/attempt.js'
import { isHandlerOutcome } from '../worker/run/handler-outcome.js'
import { errorTypeOf } from './conventions.js'

/** What a handler's call that threw nothing came to, as far as its span tells. */
export interface Ended {
  /** What the handler returned in place of a result. */
  readonly outcome?: string
  /** Why the attempt did not succeed. */
  readonly errorType?: string
}

const outcomes = { snooze: 'snoozed', cancel: 'cancelled', retryIn: 'retry' } as const
const succeeded: Ended = {}

export function outcomeOf(attempts: readonly Attempt[], returned: unknown): Ended {
  const aborted = abortedOf(attempts)
  if (aborted !== undefined) return { errorType: errorTypeOf(aborted) }
  if (!isHandlerOutcome(returned)) return succeeded
  const outcome = outcomes[returned.kind]
  return outcome === 'retry' ? { outcome, errorType: 'retryIn' } : { outcome }
}

/** Why it was aborted goes before what it threw then. */
export function failureOf(attempts: readonly Attempt[], thrown: unknown): { errorType: string; exceptionType: string } {
  const exceptionType = errorTypeOf(thrown)
  const aborted = abortedOf(attempts)
  return { errorType: aborted === undefined ? exceptionType : errorTypeOf(aborted), exceptionType }
}

function abortedOf(attempts: readonly Attempt[]) {
  return attempts.length === 1 ? attempts[0]?.abortReason : undefined
}
