import { after, type Timer } from './timer.js'

/** The one thing a worker's loop waits on. A ring while nobody waits is remembered, however many there were. */
export class Bell {
  #rung = false
  #closed = false
  #wake: ((rung: boolean) => void) | undefined
  #alarm: { readonly at: number; readonly timer: Timer } | undefined

  /** Ends the wait, or the next one at once. */
  ring(): void {
    if (this.#wake === undefined) this.#rung = true
    else this.#wake(true)
  }

  /** Rings in so many milliseconds; of several, the earliest counts. */
  ringIn(milliseconds: number): void {
    const at = performance.now() + milliseconds
    if (this.#closed || (this.#alarm !== undefined && this.#alarm.at <= at)) return
    this.#alarm?.timer.cancel()
    const timer = after(milliseconds, () => {
      this.#alarm = undefined
      this.ring()
    })
    this.#alarm = { at, timer }
  }

  /** Waits for a ring, or so many milliseconds (Infinity: for a ring only). One waiter at a time. @returns whether it rang */
  wait(milliseconds: number): Promise<boolean> {
    if (this.#rung || this.#closed) {
      this.#rung = false
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const timer = after(milliseconds, () => this.#wake?.(false))
      this.#wake = (rung) => {
        timer.cancel()
        this.#wake = undefined
        resolve(rung)
      }
    })
  }

  /** Ends the wait and every later one, and disarms the alarm. */
  close(): void {
    this.#closed = true
    this.#alarm?.timer.cancel()
    this.#wake?.(true)
  }
}
