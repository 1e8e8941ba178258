import type { Outcome } from '../../queue/outcome.js'
import type { WorkerScope } from '../scope.js'
import { TimeoutError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import type { Handling } from './handling.js'
import { outcomeOfError, outcomeOfTimeout } from './outcome.js'

/**
 * One call of a handler, over one attempt or over many, and the outcome of each. It has no timer, no slot and no
 * connection: who has them tells it when the time is over, and is told of each outcome once.
 */
export class Run {
  readonly attempts: readonly Attempt[]
  readonly #scope: WorkerScope
  readonly #handling: Handling
  readonly #decided: (attempt: Attempt, outcome: Outcome) => void

  /** @param decided is told the outcome of each attempt whose row is still ours; the first outcome counts */
  constructor(
    scope: WorkerScope,
    handling: Handling,
    attempts: readonly Attempt[],
    decided: (attempt: Attempt, outcome: Outcome) => void,
  ) {
    this.#scope = scope
    this.#handling = handling
    this.attempts = attempts
    this.#decided = decided
  }

  /**
   * Begins the attempts and calls the handler. Resolves when it has really ended, and never rejects. As small as can be: for
   * fast jobs the garbage of an async function, and of each variable in it, is what costs.
   *
   * @param ended is told that it has
   */
  async call(ended?: (run: Run) => void): Promise<void> {
    this.#begin()
    try {
      this.#returned(await this.#handling.call(this.attempts))
    } catch (thrown) {
      this.#threw(thrown)
    }
    ended?.(this)
  }

  #begin(): void {
    for (const attempt of this.attempts) attempt.begin()
  }

  #returned(value: unknown): void {
    for (const attempt of this.attempts)
      if (attempt.isOpen) this.#end(attempt, this.#handling.outcomeOf(attempt, value))
  }

  #threw(thrown: unknown): void {
    for (const attempt of this.attempts)
      if (attempt.isOpen) this.#end(attempt, outcomeOfError(this.#scope, attempt, thrown))
  }

  /** The time is over: the handler's signal aborts, and whatever it still does is not written. */
  timeOut(): void {
    for (const attempt of this.attempts) {
      const text = `Job ${attempt.id}, attempt ${attempt.attempt}: timeout of ${this.#scope.settings.timeout} ms reached`
      const reason = new TimeoutError(text)
      attempt.abort(reason)
      if (attempt.isOpen) this.#end(attempt, outcomeOfTimeout(this.#scope, attempt, reason))
    }
  }

  #end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.end()) this.#decided(attempt, outcome)
  }
}
