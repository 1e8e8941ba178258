/** The moment at which waiting ends: the earliest of the deadlines that were set. */
export class Cutoff {
  readonly passed: Promise<void>
  readonly #pass: () => void
  readonly #timers: ReturnType<typeof setTimeout>[] = []

  constructor() {
    let pass = () => {}
    this.passed = new Promise((resolve) => {
      pass = resolve
    })
    this.#pass = pass
  }

  /** Sets a deadline, so many milliseconds from now; an earlier one that is set stands. */
  within(milliseconds: number): void {
    this.#timers.push(setTimeout(this.#pass, milliseconds))
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
