import { findExpired } from '../queue/expired.js'
import { type Rescued, rescue, rescueLimit } from '../queue/rescue.js'
import { idOf } from '../schema/row.js'
import { withDeadline } from '../watch/deadline.js'
import { maxAttemptsOf } from './ending.js'
import type { WorkerScope } from './scope.js'

/** Takes over what dead workers left, when it is told that there may be something. */
export class Rescuer {
  readonly #scope: WorkerScope
  readonly #rescued: () => void
  #rescuing = false
  #stopped = false

  constructor(scope: WorkerScope, rescued: () => void) {
    this.#scope = scope
    this.#rescued = rescued
  }

  /** Rescues until nothing is left to be rescued. */
  async rescue(): Promise<void> {
    if (this.#rescuing) return
    this.#rescuing = true
    try {
      for (let full = true; full && !this.#stopped; ) full = await this.#rescueChunk()
    } catch (error) {
      this.#scope.report(error, 'rescuing jobs of workers that are gone')
    } finally {
      this.#rescuing = false
    }
  }

  stop(): void {
    this.#stopped = true
  }

  /** Whether there may be more. */
  async #rescueChunk(): Promise<boolean> {
    const rescued = await withDeadline(this.#nextChunk(), this.#scope.settings.lease / 3, 'rescue')
    if (rescued.length > 0) {
      this.#scope.tell('rescued', { jobs: rescued })
      this.#rescued()
    }
    return rescued.length >= rescueLimit
  }

  async #nextChunk(): Promise<Rescued[]> {
    const { jobs, columns, settings } = this.#scope
    const { lease, maxAttempts } = settings
    if (typeof maxAttempts === 'number') return rescue(jobs.db, jobs.name, { lease, maxAttempts, columns })
    return this.#rescueByLimit(lease)
  }

  /** Where the limit is a function of the job, rows are rescued together with others of their limit. */
  async #rescueByLimit(lease: number): Promise<Rescued[]> {
    const { jobs, userJobs, columns } = this.#scope
    const expired = await findExpired(userJobs.db, userJobs.name, { lease })
    const byLimit = Map.groupBy(expired, (job) => maxAttemptsOf(this.#scope, job))
    const rescued: Rescued[] = []
    for (const [maxAttempts, rows] of byLimit) {
      const ids = rows.map(idOf)
      rescued.push(...(await rescue(jobs.db, jobs.name, { lease, maxAttempts, columns, ids })))
    }
    return rescued
  }
}
