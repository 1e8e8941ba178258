/** What may be taken next, as far as the table knows. */
export interface Rest {
  /** Jobs are due that may not begin before others end. */
  readonly isBlocked: boolean
  /** Milliseconds until the next job may be due; Infinity: none will be. */
  readonly due: number
}

/** What a fetch by keys has left behind. */
export class LeftBehind {
  /** Another fetch may bring more, at once. */
  readonly isMore: boolean
  readonly #ask: () => Promise<Rest>
  /** Until it was asked, some may be. */
  #isBlocked: boolean
  #isStale = false

  constructor(isMore: boolean, ask: () => Promise<Rest>) {
    this.isMore = isMore
    this.#ask = ask
    this.#isBlocked = !isMore
  }

  /** Outcomes were written. @returns whether jobs that were left behind may begin by that */
  wrote(): boolean {
    this.#isStale ||= this.#isBlocked
    return this.#isBlocked
  }

  /** Milliseconds until the next fetch, if nothing else happens. */
  async wait(): Promise<number> {
    const { isBlocked, due } = await this.#ask()
    this.#isBlocked = isBlocked
    return this.#isStale ? 0 : Math.max(0, due)
  }
}
