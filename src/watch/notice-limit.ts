/** So many looks in a row that find nothing may follow notices at once; then one in so many milliseconds. */
const atOnce = 20
const period = 1_000

/**
 * Bounds what notices may cost: anyone who may connect can notify, and a worker that looked for jobs at each notice
 * could be kept busy with nothing. A notice is answered at once, unless many of the looks before found nothing.
 */
export class NoticeLimit {
  /** The looks that may follow at once, as of so many monotonic milliseconds. */
  #left = atOnce
  #asOf = performance.now()

  /** Milliseconds that the look for which a notice asks has to wait. */
  get wait(): number {
    return Math.max(0, (1 - this.#now()) * period)
  }

  /** After a look, whatever asked for it. */
  looked(foundSomething: boolean): void {
    this.#left = foundSomething ? atOnce : Math.max(0, this.#now() - 1)
    this.#asOf = performance.now()
  }

  #now(): number {
    return Math.min(atOnce, this.#left + (performance.now() - this.#asOf) / period)
  }
}
