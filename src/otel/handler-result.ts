import type { Attempt } from '../worker/run/attempt.js'
import { isHandlerOutcome } from '../worker/run/handler-outcome.js'
import { errorTypeOf } from './conventions.js'

/** What a handler's call came to, as far as its span tells. */
export interface HandlerResult {
  /** What the handler returned in place of a result. */
  readonly outcome?: string
  /** Why the attempt did not succeed. */
  readonly errorType?: string
  /** The text of what was thrown. */
  readonly exception?: string
}

const outcomes = { snooze: 'snoozed', cancel: 'cancelled', retryIn: 'retry' } as const

/** Why it was aborted goes before what it threw then. */
export function outcomeOf(
  attempts: readonly Attempt[],
  { returned, thrown, text }: { readonly returned?: unknown; readonly thrown?: unknown; readonly text?: string },
): HandlerResult {
  const aborted = attempts.length === 1 ? attempts[0]?.abortReason : undefined
  if (text !== undefined) return { errorType: errorTypeOf(aborted ?? thrown), exception: text }
  if (aborted !== undefined) return { errorType: errorTypeOf(aborted) }
  if (!isHandlerOutcome(returned)) return {}
  const outcome = outcomes[returned.kind]
  return outcome === 'retry' ? { outcome, errorType: 'retryIn' } : { outcome }
}
