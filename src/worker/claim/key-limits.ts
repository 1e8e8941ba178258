import { type Rate, spacing } from '../../queue/allowance.js'
import type { Keyed } from '../../queue/claim.js'
import { forgetLimits } from '../../queue/forget-limits.js'
import { inspectJobTable } from '../../schema/inspect.js'
import type { Jobs } from '../../schema/job-database.js'
import { ask } from '../ask.js'
import { keptLimits } from '../kept-limits.js'
import type { WorkerScope } from '../scope.js'
import { adviceOnLimits } from '../unheeded-limits.js'

/** How often (milliseconds) a worker looks for a table of limits, and deletes what is kept of rates that are not used any more. */
const interval = 600_000

/** By what a worker's keys are limited: its options, and what a table keeps of single keys and of rates. */
export class KeyLimits {
  readonly #scope: WorkerScope
  #keyed: Keyed
  #lookedAt = Number.NEGATIVE_INFINITY
  #forgotAt = Number.NEGATIVE_INFINITY
  #told: string | undefined

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed) {
    this.#scope = scope
    this.#keyed = { ...keyed, kept: scope.kept }
  }

  /** Another value where the table of limits has come. */
  get keyed(): Keyed {
    return this.#keyed
  }

  /** Milliseconds that a start takes to be made up for, at least; Infinity: starts are not counted. */
  get spacing(): number {
    return Math.min(...this.#rates.map(spacing))
  }

  get #rates(): Rate[] {
    return [this.#keyed.rate, this.#keyed.totalRate].filter((rate) => rate !== undefined)
  }

  /**
   * Looks now and then whether the table of limits has come, and whether limits are set that the worker does not heed, which the log tells once.
   * @returns whether it has come
   */
  async look(): Promise<boolean> {
    if (performance.now() - this.#lookedAt < interval) return false
    this.#lookedAt = performance.now()
    const { userJobs, settings, report } = this.#scope
    const look = (db: Jobs['db']) => this.#look({ ...userJobs, db })
    return ask(userJobs.db, settings.lease / 3, 'limits', look).catch((error: unknown) => {
      report(error, 'looking for limits')
      return false
    })
  }

  async #look(jobs: Jobs): Promise<boolean> {
    const { table, settings } = this.#scope
    const advice = await adviceOnLimits(jobs, table, this.#keyed)
    if (advice !== undefined && advice !== this.#told)
      settings.logger.warn({ table: jobs.name }, `${jobs.name}: ${advice}`)
    this.#told = advice
    if (this.#keyed.kept !== undefined) return false
    const kept = await keptLimits(this.#keyed, jobs, await inspectJobTable(jobs.db, jobs.name, settings.engine))
    if (kept !== undefined) this.#keyed = { ...this.#keyed, kept }
    return kept !== undefined
  }

  /** Deletes now and then what is kept of rates that are not used any more. */
  forget(): void {
    const { jobs, settings, report } = this.#scope
    const { kept } = this.#keyed
    const rates = this.#rates
    if (kept === undefined || rates.length === 0 || performance.now() - this.#forgotAt < interval) return
    this.#forgotAt = performance.now()
    const unused = Math.max(...rates.map((rate) => rate.burst * spacing(rate))) + 60_000
    const forget = (db: Jobs['db']) => forgetLimits({ ...jobs, db }, kept, unused)
    ask(jobs.db, settings.lease / 3, 'deleting limits', forget).catch((error) =>
      report(error, 'deleting unused limits'),
    )
  }
}
