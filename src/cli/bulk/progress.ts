import { spanText } from '../../observe/time-text.js'
import type { Output } from '../terminal.js'

/** How often (milliseconds) it is told: to a person, and to a log. */
const [soon, seldom] = [200, 5_000]

/** Tells on stderr how far something has come, how fast it goes, and how long it will take. */
export class Progress {
  readonly #output: Output
  readonly #beganAt = performance.now()
  #toldAt = performance.now()
  #isShown = false

  constructor(output: Output) {
    this.#output = output
  }

  tell(done: number, total: number): void {
    const now = performance.now()
    if (now - this.#toldAt < (this.#output.isTTY ? soon : seldom)) return
    this.#toldAt = now
    const text = progressText(done, total, now - this.#beganAt)
    this.#output.write(this.#output.isTTY ? `\r${text}\u001b[K` : `${text}\n`)
    this.#isShown = this.#output.isTTY === true
  }

  /** Takes the line away, where there is one. */
  end(): void {
    if (this.#isShown) this.#output.write('\r\u001b[K')
    this.#isShown = false
  }
}

/** `12,000 of 50,000 (24 %), 8,000/s, 5 s left`. @param time milliseconds since it began */
export function progressText(done: number, total: number, time: number): string {
  const count = (number: number) => Math.round(number).toLocaleString('en')
  const rate = time > 0 ? (done * 1000) / time : 0
  const share = total > 0 ? Math.min(100, Math.floor((done * 100) / total)) : 100
  const left = rate > 0 && done < total ? `, ${spanText(((total - done) * 1000) / rate)} left` : ''
  return `${count(done)} of ${count(total)} (${share} %), ${count(rate)}/s${left}`
}
