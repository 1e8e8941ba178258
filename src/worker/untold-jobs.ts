import type { Settings } from './options.js'

/** So long (milliseconds) a job is due of which a listener should have told. */
const untoldFor = 100

/** So many in a row are no accident. */
const mostUntold = 3

/** Notices that polling finds, again and again, what the listener should have told, and says so once. */
export class UntoldJobs {
  readonly #table: string
  readonly #settings: Settings
  #inARow = 0

  constructor(table: string, settings: Settings) {
    this.#table = table
    this.#settings = settings
  }

  /** A notification came. */
  told(): void {
    this.#inARow = 0
  }

  /** Polling found, for a worker at rest whose listener listens, that a job is due in so many milliseconds. */
  found(due: number): void {
    if (due > -untoldFor) return
    this.#inARow += 1
    if (this.#inARow !== mostUntold) return
    const text = `${this.#table}: polling found jobs of which no notification told, though the listener hears: are the table's triggers missing, or of another name? createJobTriggers, in a migration, makes them`
    this.#settings.logger.warn({ table: this.#table }, text)
  }
}
