import { ShutdownError, TimeoutError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'

/** How long (milliseconds) a handler has whose worker was stopped and whose deadline has passed, to give up its transaction by itself. */
const graceAfterAbort = 400

/** Nobody waits for any of them any more. */
export function areAborted(attempts: readonly Attempt[]): boolean {
  return attempts.every(({ abortReason }) => abortReason !== undefined)
}

/** One signal for all attempts of a call, and the end of their time. */
export class BatchSignal {
  readonly #controller = new AbortController()
  readonly #cut = Promise.withResolvers<never>()

  constructor(attempts: readonly Attempt[]) {
    this.#cut.promise.catch(() => {}) // whoever waits for it hears of it
    for (const attempt of attempts) {
      attempt.whenAborted((reason) => {
        if (areAborted(attempts)) this.#controller.abort(reason)
        if (reason instanceof TimeoutError) this.cut(reason)
        if (reason instanceof ShutdownError) setTimeout(() => this.cut(reason), graceAfterAbort)
      })
    }
  }

  /** Aborts when each attempt was aborted, with the last one's reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Nothing of the call counts any more. */
  cut(reason: unknown): void {
    this.#cut.reject(reason)
  }

  /** Waits for the handler, but no longer than it may go on. @throws the reason where its time is over */
  unlessCut(call: Promise<unknown>): Promise<unknown> {
    return Promise.race([call, this.#cut.promise])
  }
}
