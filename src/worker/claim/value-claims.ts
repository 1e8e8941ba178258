import { concernsAll } from '../../pg/error-class.js'
import { valuesAtOnce } from '../../queue/by-value.js'
import { countsRunning } from '../../queue/claim.js'
import type { RowKey } from '../../queue/fenced.js'
import { compileFetch, firstDue } from '../../queue/fetch.js'
import { compileLeft } from '../../queue/keyed-fetch.js'
import { compileNextDue } from '../../queue/next-due.js'
import { isSpread } from '../../queue/spread-keys.js'
import { type Jobs, jobsOfValue } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import { claimFirst } from './claim-first.js'
import type { Claimed } from './claimed.js'
import { DueValues } from './due-values.js'
import { tellOfFreedKeys } from './freed-keys.js'
import { KeysOfValues, type OfValue } from './keys-of-values.js'
import { LeftBehind, type Rest } from './left-behind.js'

/**
 * A statement asks for so many jobs of a value, or for all that there is room for: of fewer, its way to the node and back costs more than they
 * do. Where there is room for more, several values are asked at once.
 */
const worthAsking = 50

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
  readonly #values: DueValues
  /** A job of the first value was refused: until it is found, jobs are taken of that one alone. */
  #isRefused = false
  readonly #lockedPause = new Pause()
  #left: LeftBehind | undefined
  /** Undefined: of each value the jobs are taken as they come. */
  readonly #keys: KeysOfValues | undefined

  constructor(scope: WorkerScope, release: (rows: readonly object[]) => Promise<void>) {
    const { settings } = scope
    this.#scope = scope
    this.#release = release
    if (settings.keyed !== undefined && !isSpread(scope.userJobs, settings.keyed))
      this.#keys = new KeysOfValues(scope, settings.keyed)
    this.#values = new DueValues(scope, this.#keys)
  }

  /**
   * @param isStopped whether nobody wants them any more
   * @returns undefined where the one that was asked for was refused
   */
  async claim(given: ToClaim, isStopped: () => boolean): Promise<Claimed | undefined> {
    const sent = performance.now()
    await this.#values.refresh()
    if (given.isOne) return this.#one(given, sent)
    const rows: object[] = []
    while (rows.length < given.limit && this.#values.areLeft && !isStopped()) {
      try {
        rows.push(...(await this.#ofSome({ ...given, limit: given.limit - rows.length })))
      } catch (error) {
        if (rows.length === 0) throw error
        break // what was claimed before is claimed
      }
      // Jobs that are claimed do not wait for a look at all values that may be full.
      if (this.#isRefused || (this.#keys !== undefined && rows.length > 0)) break
    }
    if (rows.length > 0) this.#lockedPause.reset()
    return { rows, left: this.#leftBehind(rows.length, sent) }
  }

  #leftBehind(brought: number, sent: number): LeftBehind {
    const rest = (hasFreed: boolean) => this.#rest(brought, sent, hasFreed)
    this.#left = new LeftBehind(this.#values.areLeft, rest, this.#left)
    return this.#left
  }

  /** Of the next values, as many of each as comes to it, by a connection each. @throws why, where none of them answers */
  async #ofSome({ limit, ahead }: ToClaim): Promise<object[]> {
    const { userJobs, settings } = this.#scope
    const worth = this.#keys === undefined ? worthAsking : 1 // few come of a value whose jobs are limited
    const atOnce = Math.min(valuesAtOnce, Math.max(1, Math.floor(limit / worth)))
    const values = this.#values.take(this.#isRefused ? 1 : atOnce)
    this.#isRefused = false
    const most = Math.floor(limit / values.length)
    const late = ({ rows }: OfValue) => void this.#release(rows)
    const asked = values.map((value) => {
      const fetch = (db: Jobs['db']) => this.#fetch(db, value, { limit: most, ahead })
      return ask(userJobs.db, settings.lease / 6, `fetch of ${value}`, fetch, late)
    })
    const found = await Promise.allSettled(asked)
    for (const [place, value] of values.entries()) this.#seenOf(value, found[place])
    const [failed] = found.filter((each) => each.status === 'rejected')
    if (failed !== undefined && found.every(({ status }) => status === 'rejected')) throw failed.reason
    return found.flatMap((each) => (each.status === 'fulfilled' ? each.value.rows : []))
  }

  async #fetch(
    db: Jobs['db'],
    value: string,
    given: { readonly limit: number; readonly ahead: boolean },
  ): Promise<OfValue> {
    const { userJobs, claim, worker } = this.#scope
    if (this.#keys !== undefined) return this.#keys.fetch(db, value, given.limit)
    const rows = await compileFetch(jobsOfValue({ ...userJobs, db }, value), { ...claim, worker })(db, given)
    return { rows, isMore: rows.length >= given.limit }
  }

  #seenOf(value: string, found: PromiseSettledResult<OfValue> | undefined): void {
    if (found?.status === 'fulfilled') {
      if (found.value.isMore) this.#values.more(value)
    } else if (concernsAll(found?.reason)) {
      this.#values.away(value)
      this.#scope.report(found?.reason, `fetching jobs of ${this.#scope.jobs.distributedBy} ${value}`)
    } else {
      this.#values.again(value)
      this.#isRefused = true
    }
  }

  /** The job that is first of the first value. Where the table refuses its claim, it is passed over. */
  async #one({ ahead }: ToClaim, sent: number): Promise<Claimed | undefined> {
    const { userJobs, settings } = this.#scope
    const [value] = this.#values.take(1)
    if (value === undefined) return { rows: [], left: this.#leftBehind(0, sent) }
    const late = (rows: readonly object[] = []) => void this.#release(rows)
    const first = (db: Jobs['db']) => this.#first(db, value, ahead)
    const rows = await ask(userJobs.db, settings.lease / 3, `fetch of ${value}`, first, late)
    if (rows?.length !== 0) this.#values.again(value)
    return rows && { rows, left: this.#leftBehind(rows.length, sent) }
  }

  #first(db: Jobs['db'], value: string, ahead: boolean): Promise<readonly object[] | undefined> {
    if (this.#keys !== undefined) return this.#keys.first(db, value)
    const { userJobs, claim, worker } = this.#scope
    const jobs = jobsOfValue({ ...userJobs, db }, value)
    const fetch = (row: RowKey) => compileFetch(jobs, { ...claim, worker, only: [row] })(jobs.db, { limit: 1, ahead })
    return claimFirst(
      this.#scope,
      () => firstDue(jobs, claim),
      async (row) => (row === undefined ? [] : fetch(row)),
    )
  }

  async #rest(brought: number, sent: number, hasFreed: boolean): Promise<Rest> {
    if (this.#keys !== undefined) return this.#restOf(this.#keys, sent, hasFreed)
    const { claimedJobs, claim, settings } = this.#scope
    const nextDue = compileNextDue(claimedJobs, claim)
    const due = await ask(claimedJobs.db, settings.lease / 3, 'next due time', (db) => nextDue(db))
    if (due === undefined) return { isBlocked: false, due: Number.POSITIVE_INFINITY }
    const isLocked = due <= 0 && brought === 0 // by somebody who claims them, as far as is known; or its node is away
    return { isBlocked: false, due: isLocked ? this.#lockedPause.next() : due }
  }

  /** The same where jobs may have to wait for others of their key, or for a rate. */
  async #restOf(keys: KeysOfValues, sent: number, hasFreed: boolean): Promise<Rest> {
    const { claimedJobs, claim, settings } = this.#scope
    const { keyed } = keys.limits
    if (await keys.limits.look()) return { isBlocked: true, due: 0 }
    keys.limits.forget()
    const isShared = settings.where !== undefined && countsRunning(keyed) // with others, whose jobs this worker does not see
    if (isShared && hasFreed) void tellOfFreedKeys(this.#scope)
    const left = compileLeft(claimedJobs, claim)
    const ago = performance.now() - sent
    const { isWaiting, due } = await ask(claimedJobs.db, settings.lease / 3, 'next due time', (db) => left(db, ago))
    const soonest = Math.min(keys.wait(), this.#values.wait)
    const isLocked = countsRunning(keyed) || soonest === Number.POSITIVE_INFINITY
    const wait = isWaiting
      ? Math.min(soonest, isLocked ? this.#lockedPause.next() : Number.POSITIVE_INFINITY)
      : Number.POSITIVE_INFINITY
    return {
      isBlocked: (isWaiting && countsRunning(keyed)) || isShared,
      due: Math.min(wait, due ?? Number.POSITIVE_INFINITY),
    }
  }
}
