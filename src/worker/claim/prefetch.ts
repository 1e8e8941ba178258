/** So much work (milliseconds) is claimed ahead at most, and so many rows: enough to bridge a fetch, too little to hoard. */
const workAhead = 50
const rowsAhead = 2_000

/** The most rows of one fetch: half of them, so that one batch is on its way while another is worked off. */
const largestFetch = rowsAhead / 2

/** How fast handlers are, and so how much is worth being claimed ahead of them. */
export class Prefetch {
  readonly #concurrency: number
  /** How long a handler takes, in milliseconds: a moving average. */
  #average = workAhead
  /** When (monotonic milliseconds) the last slot was taken or freed. */
  #lastMove = performance.now()

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** A slot was taken, or freed. */
  moved(): void {
    this.#lastMove = performance.now()
  }

  /** A handler took so many milliseconds. */
  took(milliseconds: number): void {
    this.#average += (milliseconds - this.#average) / 16
  }

  /** All slots are taken, and for so long (milliseconds) none of them was freed. */
  isStalled(running: number, limit: number): boolean {
    return running >= this.#concurrency && performance.now() - this.#lastMove > limit
  }

  /** How many more jobs to claim; 0 while more than half of what is claimed ahead is still there. */
  room(running: number, ready: number): number {
    const inTime = (this.#concurrency * workAhead) / Math.max(0.1, this.#average)
    const mostAhead = Math.min(rowsAhead, Math.max(0, Math.floor(inTime) - this.#concurrency))
    const ahead = this.isStalled(running, workAhead) ? 0 : mostAhead
    if (ready > ahead / 2) return 0
    const room = Math.max(0, this.#concurrency + ahead - running - ready)
    return Math.min(room, Math.max(this.#concurrency, largestFetch))
  }
}
