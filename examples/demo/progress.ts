import { count, percent, seconds } from './words.ts'

/** Where it is written: a terminal, or a file or pipe. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** A bar in place on a terminal; elsewhere a line for every tenth of the way. */
export class Progress {
  readonly #screen: Screen
  readonly #total: number
  readonly #start = performance.now()
  #end: number | undefined
  #tenth = 0

  constructor(screen: Screen, total: number) {
    this.#screen = screen
    this.#total = total
  }

  show(done: number): void {
    const words = `${percent(done / this.#total)}  ${count(done)} of ${count(this.#total)} files  ${this.#pace(done)}`
    if (this.#screen.isTTY) this.#screen.write(`\r\x1b[2K  ${this.#bar(done, words.length)} ${words}`)
    else if (this.#reachedTenth(done)) this.#screen.write(`  ${words}\n`)
  }

  /** Seconds since the start, up to the end. */
  get elapsed(): number {
    return ((this.#end ?? performance.now()) - this.#start) / 1000
  }

  finish(line: string): void {
    this.#end = performance.now()
    this.say(line)
  }

  /** A line that stays. */
  say(line: string): void {
    this.#screen.write(`${this.#screen.isTTY ? '\r\x1b[2K' : ''}  ${line}\n`)
  }

  #pace(done: number): string {
    if (done === 0) return ''
    const rate = done / this.elapsed
    return `${count(rate)} jobs/s  ${seconds((this.#total - done) / rate)} left`
  }

  #bar(done: number, taken: number): string {
    const width = Math.max(0, Math.min(40, (this.#screen.columns ?? 80) - taken - 4))
    const full = Math.round((width * done) / this.#total)
    return '█'.repeat(full) + '░'.repeat(width - full)
  }

  #reachedTenth(done: number): boolean {
    const tenth = Math.floor((done * 10) / this.#total)
    if (tenth <= this.#tenth) return false
    this.#tenth = tenth
    return true
  }
}
