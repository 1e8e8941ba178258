import { insertTriggerOf } from '../schema/engines/lacks.js'
import type { WorkerScope } from './scope.js'

/** So long (milliseconds) a job is due of which a listener should have told. */
const untoldFor = 100

/** So many in a row are no accident. */
const mostUntold = 3

/** Notices that polling finds, again and again, what the listener should have told, and says so once. */
export class UntoldJobs {
  readonly #scope: WorkerScope
  #inARow = 0

  constructor(scope: WorkerScope) {
    this.#scope = scope
  }

  /** A notification came. */
  told(): void {
    this.#inARow = 0
  }

  /** Polling found, for a worker at rest whose listener listens, that a job is due in so many milliseconds. */
  found(due: number): void {
    if (due > -untoldFor) return
    this.#inARow += 1
    const { userJobs, settings, engine } = this.#scope
    // Where there can be no triggers it was said at the start.
    if (this.#inARow !== mostUntold || insertTriggerOf(engine) === 'none') return
    const table = userJobs.name
    const text = `${table}: polling found jobs of which no notification told, though the listener hears: are the table's triggers missing, or of another name? createJobTriggers, in a migration, makes them`
    settings.logger.warn({ table }, text)
  }
}
