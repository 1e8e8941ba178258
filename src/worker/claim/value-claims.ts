import { mayPass } from '../../pg/error-class.js'
import { compileFetch, firstDue } from '../../queue/fetch.js'
import { compileNextDue } from '../../queue/next-due.js'
import { dueValues } from '../../queue/values.js'
import { type Jobs, jobsOfValue } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import type { Claimed } from './claimed.js'
import { LeftBehind, type Rest } from './left-behind.js'

/** How many values are known at most, and for how long (milliseconds): which of them have due jobs is asked of all nodes. */
const mostValues = 10_000
const knownFor = 1_000

/** A fetch takes from so many values at once, where there are as many: of one that has a million jobs no more than comes to it. */
const valuesAtOnce = 4

/** What a claim by values is given. */
interface ToClaim {
  readonly limit: number
  readonly ahead: boolean
  /** The one job that is first, as one that is refused is looked for. */
  readonly isOne: boolean
}

/**
 * Claims jobs of a table that is distributed by a column: value by value, each by a statement that goes to one node, in turn. So a
 * value with a million jobs does not keep one that has ten waiting, and a node that is away keeps back its own values alone.
 */
export class ValueClaims {
  readonly #scope: WorkerScope
  readonly #release: (rows: readonly object[]) => Promise<void>
  /** Those that had due jobs, the next one first. */
  #values: string[] = []
  #askedAt = Number.NEGATIVE_INFINITY
  readonly #lockedPause = new Pause()
  #left: LeftBehind | undefined

  constructor(scope: WorkerScope, release: (rows: readonly object[]) => Promise<void>) {
    this.#scope = scope
    this.#release = release
  }

  /**
   * @param isStopped whether nobody wants them any more
   * @returns undefined where the one that was asked for was refused
   */
  async claim(given: ToClaim, isStopped: () => boolean): Promise<Claimed | undefined> {
    const { userJobs, settings } = this.#scope
    const late = (claimed: Claimed | undefined) => void this.#release(claimed?.rows ?? [])
    const claim = (db: Jobs['db']) => (isStopped() ? Promise.resolve({ rows: [] }) : this.#claim(db, given))
    return ask(userJobs.db, settings.lease / 3, 'fetch', claim, late)
  }

  async #claim(db: Jobs['db'], given: ToClaim): Promise<Claimed | undefined> {
    const rows: object[] = []
    if (this.#values.length === 0 || performance.now() - this.#askedAt > knownFor) await this.#look(db)
    const most = Math.ceil(given.limit / Math.max(1, Math.min(valuesAtOnce, this.#values.length)))
    for (let value = this.#values[0]; value !== undefined && rows.length < given.limit; value = this.#values[0]) {
      const limit = Math.min(most, given.limit - rows.length)
      const found = await this.#ofValue(db, value, { ...given, limit })
      if (found === undefined) return undefined
      this.#values.shift()
      if (found.length >= limit) this.#values.push(value)
      rows.push(...found)
    }
    if (rows.length > 0) this.#lockedPause.reset()
    this.#left = new LeftBehind(this.#values.length > 0, () => this.#rest(rows.length), this.#left)
    return { rows, left: this.#left }
  }

  /** Which values have due jobs: those that were not known are next, then the others as it was their turn. */
  async #look(db: Jobs['db']): Promise<void> {
    const { claimedJobs, claim } = this.#scope
    const found = new Set(await dueValues({ ...claimedJobs, db }, claim, mostValues))
    const known = this.#values.filter((value) => found.has(value))
    for (const value of known) found.delete(value)
    this.#values = [...found, ...known]
    this.#askedAt = performance.now()
  }

  async #ofValue(db: Jobs['db'], value: string, { limit, ahead, isOne }: ToClaim): Promise<object[] | undefined> {
    const { userJobs, claim, worker, passedOver, report } = this.#scope
    const jobs = jobsOfValue(userJobs, value)
    if (!isOne) return compileFetch(jobs, { ...claim, worker })(db, { limit, ahead })
    const row = await firstDue(jobs, claim)
    if (row === undefined) return []
    try {
      return await compileFetch(jobs, { ...claim, worker, only: [row] })(db, { limit: 1, ahead })
    } catch (error) {
      if (mayPass(error)) throw error
      passedOver.add([row])
      report(error, `claiming job ${row.id}, which is passed over for ${Math.round(passedOver.time / 1000)} s`)
      return undefined
    }
  }

  async #rest(brought: number): Promise<Rest> {
    const { claimedJobs, claim, settings } = this.#scope
    const nextDue = compileNextDue(claimedJobs, claim)
    const due = await ask(claimedJobs.db, settings.lease / 3, 'next due time', (db) => nextDue(db))
    if (due === undefined) return { isBlocked: false, due: Number.POSITIVE_INFINITY }
    const isLocked = due <= 0 && brought === 0 // by somebody who claims them, as far as is known
    return { isBlocked: false, due: isLocked ? this.#lockedPause.next() : due }
  }
}
