import { type Duration, milliseconds } from '../../schema/duration.js'

/** Known across copies of this package in one process. */
const brand = Symbol.for('kysely-jobs.handler-outcome')
const fatal = Symbol.for('kysely-jobs.fatal-error')

/** What a handler may return in place of a result: the attempt ended, but not in success. */
export type HandlerOutcome =
  | { readonly [brand]: true; readonly kind: 'snooze'; readonly delay: number }
  | { readonly [brand]: true; readonly kind: 'cancel'; readonly reason: string }
  | { readonly [brand]: true; readonly kind: 'retryIn'; readonly delay: number; readonly reason: string }

/** Run the job later, and don't count this attempt. @example if (!isOfficeHour()) return snooze('1h') */
export function snooze(delay: Duration): HandlerOutcome {
  return { [brand]: true, kind: 'snooze', delay: milliseconds(delay, 'snooze') }
}

/** End the job on purpose; it will not run again. @example if (user === undefined) return cancel('the user is gone') */
export function cancel(reason = 'by its handler'): HandlerOutcome {
  return { [brand]: true, kind: 'cancel', reason }
}

/**
 * This attempt failed; try again after this delay in place of the backoff. Without attempts left the job fails.
 * @example if (response.status === 429) return retryIn('5m', 'rate limited')
 */
export function retryIn(delay: Duration, reason = 'retry asked for by the handler'): HandlerOutcome {
  return { [brand]: true, kind: 'retryIn', delay: milliseconds(delay, 'retryIn'), reason }
}

export function isHandlerOutcome(value: unknown): value is HandlerOutcome {
  return bears(value, brand)
}

export function isFatal(thrown: unknown): boolean {
  return bears(thrown, fatal)
}

/** A value may be a proxy that throws at every touch. */
function bears(value: unknown, mark: symbol): boolean {
  try {
    return typeof value === 'object' && value !== null && Reflect.get(value, mark) === true
  } catch {
    return false
  }
}

/** Throw it to end the job as failed at once, whatever attempts are left. */
export class FatalError extends Error {
  override readonly name: string = 'FatalError'
  readonly code = 'FATAL'

  /** On the prototype, so that nobody sees it in a log. */
  get [fatal](): true {
    return true
  }
}
