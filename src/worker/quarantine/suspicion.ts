import type { Attempt } from '../run/attempt.js'

/** Interrupted twice in a row, a job is alone until it ends, but no longer than so many leases: it may hang for ever. */
const repeatedly = 10

/**
 * Which attempts are suspected of killing their worker. A job that was interrupted once most likely was only beside the one
 * that did, and runs like any other. One that was interrupted again is alone in its process.
 */
export class Suspicion {
  readonly #lease: number

  constructor(lease: number) {
    this.#lease = lease
  }

  /** The next claim may bring another, of which only one can run: the others would be claimed in vain. */
  expectsMore = false

  /** The suspect of a claim; undefined where there is none. A whole claim passed nothing over that is due. */
  firstOf(attempts: readonly Attempt[], isWhole: boolean): Attempt | undefined {
    const first = attempts.find(({ interruptions }) => interruptions > 1)
    if (isWhole || first !== undefined) this.expectsMore = first !== undefined
    return first
  }

  /** How long (milliseconds) one is alone, or may wait to be. */
  get timeAlone(): number {
    return this.#lease * repeatedly
  }
}
