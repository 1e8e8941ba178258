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
  readonly #ask: (hasFreed: boolean) => Promise<Rest>
  /** Until it was asked, some may be. */
  #isBlocked: boolean
  #isStale = false
  #hasFreed: boolean

  /** @param ask is told whether outcomes were written since the fetch before */
  constructor(isMore: boolean, ask: (hasFreed: boolean) => Promise<Rest>, before?: LeftBehind) {
    this.isMore = isMore
    this.#ask = ask
    this.#isBlocked = !isMore
    this.#hasFreed = before?.hasFreed ?? false
  }

  /** Outcomes were written. @returns whether jobs that were left behind may begin by that, or that a fetch on its way does not see */
  wrote(isFetching: boolean): boolean {
    this.#hasFreed = true
    this.#isStale ||= this.#isBlocked
    return this.#isBlocked || isFetching
  }

  /** Whether outcomes were written of which nobody else was told. */
  get hasFreed(): boolean {
    return this.#hasFreed
  }

  /** Milliseconds until the next fetch, if nothing else happens. */
  async wait(): Promise<number> {
    const hasFreed = this.#hasFreed
    this.#hasFreed = false
    const { isBlocked, due } = await this.#ask(hasFreed)
    this.#isBlocked = isBlocked
    return this.#isStale ? 0 : Math.max(0, due)
  }
}
