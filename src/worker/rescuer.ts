import { findExpired } from '../queue/expired.js'
import { type Rescued, rescue } from '../queue/rescue.js'
import { idOf } from '../schema/row.js'
import { withDeadline } from '../watch/deadline.js'
import { maxAttemptsOf } from './ending.js'
import type { WorkerScope } from './scope.js'

/**
 * Takes over what dead workers left: at the start, then every third of the lease; once a period for each table,
 * however many workers of this process serve it.
 */
export class Rescuer {
  readonly #scope: WorkerScope
  readonly #rescued: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(scope: WorkerScope, rescued: () => void) {
    this.#scope = scope
    this.#rescued = rescued
  }

  start(): void {
    void this.#rescueWhenDue()
  }

  /** The period begins anew for whoever comes next: a worker that starts after us looks at once. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#scope.share.lastRescue.delete(this.#scope.table)
  }

  get #period(): number {
    return this.#scope.settings.lease / 3
  }

  async #rescueWhenDue(): Promise<void> {
    if (this.#wait <= 0) await this.#rescue()
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#rescueWhenDue(), this.#wait)
  }

  /** Milliseconds until a period has passed since anybody in this process rescued the table. */
  get #wait(): number {
    const { share, table } = this.#scope
    const last = share.lastRescue.get(table)
    return last === undefined ? 0 : last + this.#period - performance.now()
  }

  async #rescue(): Promise<void> {
    this.#scope.share.lastRescue.set(this.#scope.table, performance.now())
    try {
      const rescued = await withDeadline(this.#rescueAll(), this.#period, 'rescue')
      if (rescued.length === 0) return
      this.#scope.tell('rescued', { jobs: rescued })
      this.#rescued()
    } catch (error) {
      this.#scope.report(error, 'rescuing jobs of workers that are gone')
    }
  }

  async #rescueAll(): Promise<Rescued[]> {
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
