import { after, type Timer } from '../watch/timer.js'

/** The moment at which waiting ends: the earliest of the deadlines that were set. */
export class Deadline {
  readonly passed: Promise<void>
  readonly #pass: () => void
  readonly #timers: Timer[] = []
  #cleared = false

  constructor() {
    let pass = () => {}
    this.passed = new Promise((resolve) => {
      pass = resolve
    })
    this.#pass = pass
  }

  /** Sets a deadline, so many milliseconds from now; an earlier one that is set stands. Without effect once it is cleared. */
  within(milliseconds: number): void {
    if (!this.#cleared) this.#timers.push(after(milliseconds, this.#pass))
  }

  clear(): void {
    this.#cleared = true
    for (const timer of this.#timers) timer.cancel()
  }
}
