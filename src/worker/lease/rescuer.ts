import { concernsAll } from '../../pg/error-class.js'
import { findExpired } from '../../queue/expired.js'
import { type Rescued, rescue, rescueLimit } from '../../queue/rescue.js'
import type { JobId } from '../../schema/columns.js'
import { idOf } from '../../schema/row.js'
import { ask } from '../ask.js'
import { halves } from '../halves.js'
import { maxAttemptsOf } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'

/** So many leases long a row is passed over that could not be rescued. */
const passedOverFor = 5

/** The most ids that an error names. */
const mostNamed = 10

interface Chunk {
  readonly rescued: readonly Rescued[]
  /** There may be more. */
  readonly isFull: boolean
}

/** Takes over what dead workers left, when it is told that there may be something. */
export class Rescuer {
  readonly #scope: WorkerScope
  readonly #rescued: () => void
  /** Rows that could not be rescued (refused by a CHECK or a trigger, or locked), and until when (monotonic milliseconds) they are passed over. */
  readonly #passedOver = new Map<JobId, number>()
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
      for (const [id, until] of this.#passedOver) if (performance.now() >= until) this.#passedOver.delete(id)
      for (let isFull = true; isFull && !this.#stopped; ) isFull = await this.#rescueChunk()
    } catch (error) {
      this.#scope.report(error, 'rescuing jobs of workers that are gone')
    } finally {
      this.#rescuing = false
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async #rescueChunk(): Promise<boolean> {
    const { rescued, isFull } = await this.#nextChunk()
    if (rescued.length > 0) {
      this.#scope.tell('rescued', { jobs: rescued })
      this.#rescued()
    }
    return isFull
  }

  async #nextChunk(): Promise<Chunk> {
    const { maxAttempts } = this.#scope.settings
    if (typeof maxAttempts !== 'number') return this.#rescueByLimit()
    try {
      const rescued = await this.#take(maxAttempts)
      return { rescued, isFull: rescued.length >= rescueLimit }
    } catch (error) {
      if (concernsAll(error)) throw error
      return this.#rescueByLimit()
    }
  }

  /**
   * Where the limit is a function of the job, or a row may not be written, rows are rescued together with others of their
   * limit. Those that were not are passed over from now on, so that they keep none of the rows behind them from being rescued.
   */
  async #rescueByLimit(): Promise<Chunk> {
    const { userJobs, settings } = this.#scope
    const { lease } = settings
    const options = { lease, except: [...this.#passedOver.keys()] }
    const expired = await ask(userJobs.db, lease / 3, 'expired jobs', (db) => findExpired(db, userJobs.name, options))
    const byLimit = Map.groupBy(expired, (job) => maxAttemptsOf(this.#scope, job))
    const rescued: Rescued[] = []
    const errors = new Map<JobId, unknown>()
    for (const [maxAttempts, rows] of byLimit)
      rescued.push(...(await this.#takeApart(maxAttempts, rows.map(idOf), errors)))
    if (errors.size > 0) this.#tellRefused(errors)
    const taken = new Set(rescued.map(({ id }) => String(id)))
    for (const id of expired.map(idOf)) {
      if (!taken.has(String(id))) this.#passedOver.set(id, performance.now() + lease * passedOverFor)
    }
    return { rescued, isFull: expired.length >= rescueLimit }
  }

  /** A row that may not be written keeps no other from being rescued: it is found by halving, and left as it is. */
  async #takeApart(maxAttempts: number, ids: readonly JobId[], errors: Map<JobId, unknown>): Promise<Rescued[]> {
    try {
      return await this.#take(maxAttempts, ids)
    } catch (error) {
      if (concernsAll(error)) throw error
      const [first] = ids
      if (ids.length === 1 && first !== undefined) errors.set(first, error)
      const rescued: Rescued[] = []
      for (const half of halves(ids)) rescued.push(...(await this.#takeApart(maxAttempts, half, errors)))
      return rescued
    }
  }

  #tellRefused(errors: ReadonlyMap<JobId, unknown>): void {
    const ids = [...errors.keys()]
    const named = ids.slice(0, mostNamed).join(', ') + (ids.length > mostNamed ? ', ...' : '')
    const time = Math.round((this.#scope.settings.lease * passedOverFor) / 1000)
    const doing = `rescuing ${ids.length} jobs of workers that are gone (${named}), which are passed over for ${time} s`
    this.#scope.report([...errors.values()][0], doing)
  }

  #take(maxAttempts: number, ids?: readonly JobId[]): Promise<Rescued[]> {
    const { jobs, columns, settings } = this.#scope
    const rows = ids === undefined ? { except: [...this.#passedOver.keys()] } : { ids }
    const options = { lease: settings.lease, maxAttempts, columns, key: jobs.key, ...rows }
    return ask(jobs.db, settings.lease / 3, 'rescue', (db) => rescue(db, jobs.name, options))
  }
}
