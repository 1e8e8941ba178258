import type { KeptLimits } from '../../queue/allowance.js'
import type { Keyed } from '../../queue/claim.js'
import { inspectJobTable } from '../../schema/inspect.js'
import type { Jobs } from '../../schema/job-database.js'
import { ask } from '../ask.js'
import { keptLimits } from '../kept-limits.js'
import type { WorkerScope } from '../scope.js'
import { adviceOnLimits } from '../unheeded-limits.js'

/** How often (milliseconds) a worker looks. */
const interval = 600_000

/** Looks now and then whether the table of limits has come, and whether limits are set that the worker does not heed, which the log tells once. */
export class LimitsLook {
  readonly #scope: WorkerScope
  readonly #keyed: Keyed
  #lookedAt = Number.NEGATIVE_INFINITY
  #told: string | undefined

  constructor(scope: WorkerScope, keyed: Keyed) {
    this.#scope = scope
    this.#keyed = keyed
  }

  /** @param kept where limits are kept, as far as is known @returns where they are kept by now, if that is new */
  async look(kept: KeptLimits | undefined): Promise<KeptLimits | undefined> {
    if (performance.now() - this.#lookedAt < interval) return undefined
    this.#lookedAt = performance.now()
    const { userJobs, settings, report } = this.#scope
    const look = (db: Jobs['db']) => this.#found({ ...userJobs, db }, kept)
    return ask(userJobs.db, settings.lease / 3, 'limits', look).catch((error: unknown) => {
      report(error, 'looking for limits')
      return undefined
    })
  }

  async #found(jobs: Jobs, kept: KeptLimits | undefined): Promise<KeptLimits | undefined> {
    const { table, settings } = this.#scope
    const advice = await adviceOnLimits(jobs, table, this.#keyed)
    if (advice !== undefined && advice !== this.#told)
      settings.logger.warn({ table: jobs.name }, `${jobs.name}: ${advice}`)
    this.#told = advice
    return kept === undefined ? keptLimits(this.#keyed, jobs, await inspectJobTable(jobs.db, jobs.name)) : undefined
  }
}
