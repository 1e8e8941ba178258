import { concernsAll, mayPass } from '../../pg/error-class.js'
import { valuesAtOnce } from '../../queue/by-value.js'
import { compileFetch, firstDue } from '../../queue/fetch.js'
import { compileNextDue } from '../../queue/next-due.js'
import { dueValues, mostValues } from '../../queue/values.js'
import { type Jobs, jobsOfValue } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import type { Claimed } from './claimed.js'
import { LeftBehind, type Rest } from './left-behind.js'

/** For how long (milliseconds) values are known: which of them have due jobs is asked of all nodes. */
const knownFor = 1_000

/**
 * A statement asks for so many jobs of a value, or for all that there is room for: of fewer, its way to the node and back costs more than they
 * do. Where there is room for more, several values are asked at once.
 */
const worthAsking = 50

/** Values whose node does not answer are left alone for so long (milliseconds). */
const awayFor = 5_000

/** What a claim by values is given. */
interface ToClaim {
  readonly limit: number
  readonly ahead: boolean
  /** The one job that is first, as one that is refused is looked for. */
  readonly isOne: boolean
}

/** From one of them on, around. */
function turned(values: readonly string[]): string[] {
  const start = Math.floor(Math.random() * values.length)
  return [...values.slice(start), ...values.slice(0, start)]
}

/**
 * Claims jobs of a table that is distributed by a column: value by value, each by a statement that goes to one node, in turn. So a
 * value with a million jobs does not keep one that has ten waiting, and a node that is away keeps back its own values alone.
 */
export class ValueClaims {
  readonly #scope: WorkerScope
  readonly #release: (rows: readonly object[]) => Promise<void>
  /** Those that have due jobs as far as is known, the next one first; and all that have had some. */
  #values: string[] = []
  #seen = new Set<string>()
  /** Until when (monotonic milliseconds) values are left alone. */
  readonly #away = new Map<string, number>()
  /** A job of the first value was refused: until it is found, jobs are taken of that one alone. */
  #isRefused = false
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
    if (this.#values.length === 0 || performance.now() - this.#askedAt > knownFor) await this.#look()
    if (given.isOne) return this.#one(given)
    const rows: object[] = []
    while (rows.length < given.limit && this.#values.length > 0 && !isStopped()) {
      try {
        rows.push(...(await this.#ofSome({ ...given, limit: given.limit - rows.length })))
      } catch (error) {
        if (rows.length === 0) throw error
        break // what was claimed before is claimed
      }
      if (this.#isRefused) break
    }
    if (rows.length > 0) this.#lockedPause.reset()
    return { rows, left: this.#leftBehind(rows.length) }
  }

  #leftBehind(brought: number): LeftBehind {
    this.#left = new LeftBehind(this.#values.length > 0, () => this.#rest(brought), this.#left)
    return this.#left
  }

  /**
   * Which values have due jobs: those that were not known are next, from one of them on, so that workers which ask at the same time are not in each
   * other's way; then the others as it was their turn.
   */
  async #look(): Promise<void> {
    this.#askedAt = performance.now()
    const found = new Set((await this.#due()).filter((value) => !this.#isAway(value)))
    const known = this.#values.filter((value) => found.has(value))
    for (const value of known) found.delete(value)
    this.#values = [...turned([...found]), ...known]
  }

  /** Of a node that is away nobody can tell; then all are tried that were seen before. */
  async #due(): Promise<readonly string[]> {
    const { claimedJobs, claim, settings, report } = this.#scope
    try {
      const look = (db: Jobs['db']) => dueValues({ ...claimedJobs, db }, claim)
      const values = await ask(claimedJobs.db, settings.lease / 6, 'which values have due jobs', look)
      if (this.#seen.size > mostValues) this.#seen = new Set()
      for (const value of values) this.#seen.add(value)
      return values
    } catch (error) {
      if (this.#seen.size === 0) throw error
      report(error, 'asking all nodes which values have due jobs')
      return [...this.#seen]
    }
  }

  #isAway(value: string): boolean {
    const until = this.#away.get(value) ?? 0
    if (until < performance.now()) this.#away.delete(value)
    return this.#away.has(value)
  }

  /** Of the next values, as many of each as comes to it, by a connection each. @throws why, where none of them answers */
  async #ofSome({ limit, ahead }: ToClaim): Promise<object[]> {
    const { userJobs, claim, worker, settings } = this.#scope
    const atOnce = Math.min(valuesAtOnce, Math.max(1, Math.floor(limit / worthAsking)))
    const values = this.#values.splice(0, this.#isRefused ? 1 : atOnce)
    this.#isRefused = false
    const most = Math.floor(limit / values.length)
    const late = (rows: readonly object[]) => void this.#release(rows)
    const asked = values.map((value) => {
      const fetch = compileFetch(jobsOfValue(userJobs, value), { ...claim, worker })
      return ask(userJobs.db, settings.lease / 6, `fetch of ${value}`, (db) => fetch(db, { limit: most, ahead }), late)
    })
    const found = await Promise.allSettled(asked)
    for (const [place, value] of values.entries()) this.#seenOf(value, found[place], most)
    const [failed] = found.filter((each) => each.status === 'rejected')
    if (failed !== undefined && found.every(({ status }) => status === 'rejected')) throw failed.reason
    return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  }

  #seenOf(value: string, found: PromiseSettledResult<object[]> | undefined, most: number): void {
    if (found?.status === 'fulfilled') {
      if (found.value.length >= most) this.#values.push(value)
    } else if (concernsAll(found?.reason)) {
      this.#away.set(value, performance.now() + awayFor)
      this.#scope.report(found?.reason, `fetching jobs of ${this.#scope.jobs.distributedBy} ${value}`)
    } else {
      this.#values.unshift(value)
      this.#isRefused = true
    }
  }

  /** The job that is first of the first value. Where the table refuses its claim, it is passed over. */
  async #one({ ahead }: ToClaim): Promise<Claimed | undefined> {
    const { userJobs, settings } = this.#scope
    const [value] = this.#values
    if (value === undefined) return { rows: [], left: this.#leftBehind(0) }
    const late = (rows: readonly object[] = []) => void this.#release(rows)
    const first = (db: Jobs['db']) => this.#first(jobsOfValue({ ...userJobs, db }, value), ahead)
    const rows = await ask(userJobs.db, settings.lease / 3, `fetch of ${value}`, first, late)
    if (rows?.length === 0) this.#values.shift()
    return rows && { rows, left: this.#leftBehind(rows.length) }
  }

  async #first(jobs: Jobs, ahead: boolean): Promise<object[] | undefined> {
    const { claim, worker, passedOver, report } = this.#scope
    const row = await firstDue(jobs, claim)
    if (row === undefined) return []
    try {
      return await compileFetch(jobs, { ...claim, worker, only: [row] })(jobs.db, { limit: 1, ahead })
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
    const isLocked = due <= 0 && brought === 0 // by somebody who claims them, as far as is known; or its node is away
    return { isBlocked: false, due: isLocked ? this.#lockedPause.next() : due }
  }
}
