import type { Attempt } from '../run/attempt.js'

/** Taken over twice in a row, a job is alone until it ends, but no longer than so many leases: it may hang for ever. */
const repeatedly = 10

/**
 * Which attempts are suspected of killing their worker, and for how long. A job that was taken over once most likely was
 * only beside the one that did. So it runs beside others, but never beside another of its kind: no job loses a second
 * attempt to its neighbour, and the others go on. One that was taken over again is alone in its process. When many were
 * interrupted at once, one after the other must have an end: a worker takes a lease for it in one go, then runs those that
 * were taken over once as ever, until a claim brings none of them.
 */
export class Suspicion {
  readonly #lease: number
  /** When (monotonic milliseconds) the first came of those that come one after the other. */
  #since = Number.POSITIVE_INFINITY

  constructor(lease: number) {
    this.#lease = lease
  }

  /** The next claim may bring another, of which only one can run: the others would be claimed in vain. */
  expectsMore = false

  /** It has taken long enough: those that were taken over once run as ever. */
  get isOver(): boolean {
    return performance.now() >= this.#since + this.#lease
  }

  /** The suspect of a claim, the worst first; undefined where there is none. A whole claim passed nothing over that is due. */
  firstOf(attempts: readonly Attempt[], isWhole: boolean): Attempt | undefined {
    const taken = attempts.find(({ takeovers }) => takeovers > 0)
    if (taken !== undefined) this.#since = Math.min(this.#since, performance.now())
    else if (isWhole) this.#since = Number.POSITIVE_INFINITY
    const worst = attempts.find(({ takeovers }) => takeovers > 1)
    const first = worst ?? (this.isOver ? undefined : taken)
    if (isWhole || first !== undefined) this.expectsMore = first !== undefined
    return first
  }

  /** How long (milliseconds) one that was taken over repeatedly is alone, or may wait to be. */
  get timeAlone(): number {
    return this.#lease * repeatedly
  }
}
