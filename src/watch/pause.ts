/** The first pause after an error, and the longest; each is twice the one before, give or take a quarter. */
const shortest = 50
const longest = 5_000

/** The wait between two tries of what failed; it grows, and can be cut short. */
export class Pause {
  #next = shortest
  #end: (() => void) | undefined

  /** Waits, longer each time. */
  longer(): Promise<void> {
    const wait = this.next()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), wait)
      this.#end = () => {
        clearTimeout(timer)
        this.#end = undefined
        resolve()
      }
    })
  }

  /** Milliseconds of the next wait, for those who wait otherwise. */
  next(): number {
    const wait = this.#next * (0.75 + Math.random() / 2)
    this.#next = Math.min(longest, this.#next * 2)
    return wait
  }

  /** Ends a wait that is under way. */
  end(): void {
    this.#end?.()
  }

  /** It went well: the next wait is short again. */
  reset(): void {
    this.#next = shortest
  }
}
