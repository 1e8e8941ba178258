import { concernsAll } from '../../pg/error-class.js'
import { findExpired } from '../../queue/expired.js'
import { type Rescued, rescue, rescueLimit } from '../../queue/rescue.js'
import type { JobId } from '../../schema/columns.js'
import { idOf } from '../../schema/row.js'
import { ask } from '../ask.js'
import { halves } from '../halves.js'
import { maxAttemptsOf } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'

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
    const rescued = await this.#nextChunk()
    if (rescued.length > 0) {
      this.#scope.tell('rescued', { jobs: rescued })
      this.#rescued()
    }
    return rescued.length >= rescueLimit
  }

  async #nextChunk(): Promise<Rescued[]> {
    const { maxAttempts } = this.#scope.settings
    if (typeof maxAttempts !== 'number') return this.#rescueByLimit()
    try {
      return await this.#take(maxAttempts)
    } catch (error) {
      if (concernsAll(error)) throw error
      return this.#rescueByLimit()
    }
  }

  /** Where the limit is a function of the job, or a row may not be written, rows are rescued together with others of their limit. */
  async #rescueByLimit(): Promise<Rescued[]> {
    const { userJobs, settings } = this.#scope
    const { lease } = settings
    const expired = await ask(userJobs.db, lease / 3, 'expired jobs', (db) => findExpired(db, userJobs.name, { lease }))
    const byLimit = Map.groupBy(expired, (job) => maxAttemptsOf(this.#scope, job))
    const rescued: Rescued[] = []
    for (const [maxAttempts, rows] of byLimit) rescued.push(...(await this.#takeApart(maxAttempts, rows.map(idOf))))
    return rescued
  }

  /** A row that may not be written keeps no other from being rescued: it is found by halving, and left as it is. */
  async #takeApart(maxAttempts: number, ids: readonly JobId[]): Promise<Rescued[]> {
    try {
      return await this.#take(maxAttempts, ids)
    } catch (error) {
      if (concernsAll(error)) throw error
      this.#scope.report(error, `rescuing ${ids.length} jobs of workers that are gone`)
      const rescued: Rescued[] = []
      for (const half of halves(ids)) rescued.push(...(await this.#takeApart(maxAttempts, half)))
      return rescued
    }
  }

  #take(maxAttempts: number, ids?: readonly JobId[]): Promise<Rescued[]> {
    const { jobs, columns, settings } = this.#scope
    const options = { lease: settings.lease, maxAttempts, columns, key: jobs.key, ...(ids && { ids }) }
    return ask(jobs.db, settings.lease / 3, 'rescue', (db) => rescue(db, jobs.name, options))
  }
}
