/** So long (milliseconds) handlers may begin one after the other before the rest of the process has its turn. */
const longest = 10

/**
 * A turn of the event loop, as far as handlers may fill it: those that compute, or end at once, follow each other without
 * a pause, and hundreds of them would keep a server in the same process, and our own timers, waiting.
 */
export class Turn {
  readonly #next: () => void
  /** When (monotonic milliseconds) it began; undefined: at the next look. */
  #since: number | undefined

  /** @param next is called when the next turn begins. */
  constructor(next: () => void) {
    this.#next = next
  }

  get isOver(): boolean {
    const now = performance.now()
    if (this.#since === undefined) {
      this.#since = now
      setImmediate(() => {
        this.#since = undefined
        this.#next()
      })
    }
    return now - this.#since >= longest
  }
}
