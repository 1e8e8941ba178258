import { mayPass, sqlState } from '../../pg/error-class.js'
import { spacing } from '../../queue/allowance.js'
import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import { type Claim, countsRunning, isLimited, isSameClaim, type Keyed } from '../../queue/claim.js'
import { type ClaimTransaction, inClaim } from '../../queue/claim-transaction.js'
import { forgetLimits } from '../../queue/forget-limits.js'
import {
  type CompiledKeyedFetch,
  type CompiledLeft,
  compileKeyedFetch,
  compileLeft,
  firstAllowed,
  type KeyedRows,
  type KeyedSettings,
} from '../../queue/keyed-fetch.js'
import type { Jobs } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import type { Claimed } from './claimed.js'
import { tellOfFreedKeys } from './freed-keys.js'
import { LeftBehind, type Rest } from './left-behind.js'
import { LimitsLook } from './limits-look.js'

/** A fetch visits four times as many keys as it may bring jobs, and at least so many; where it brings none, twice as many, up to so many. */
const keysPerJob = 4
const fewestKeys = 100
const mostKeys = 100_000

/** After so many walks that found nothing, and did not come around all keys, the next waits as if they had. */
const mostFruitless = 12

/** What the server says of a transaction that a connection has not known how to send; and no function of the user's. */
const isNotKnown = (error: unknown) => sqlState(error) === '42601' && Reflect.get(Object(error), 'where') === undefined

/** How often (milliseconds) a worker deletes what is kept of rates that are not used any more. */
const forgetInterval = 600_000

/** Claims jobs from key to key, each time from where the last fetch ended. */
export class KeyedClaims {
  readonly #scope: WorkerScope
  #keyed: Keyed
  readonly #limitsLook: LimitsLook
  readonly #release: (rows: readonly object[]) => Promise<void>
  /** The key that was visited last, and how many there are, as far as was seen. */
  #last: readonly string[] = []
  #keys = Number.POSITIVE_INFINITY
  /** How many walks in a row found nothing, and did not come around. */
  #fruitless = 0
  #most = fewestKeys
  readonly #lockedPause = new Pause()
  #forgotAt = Number.NEGATIVE_INFINITY
  #left: LeftBehind | undefined
  /** Claims go together with their transactions, which the connections of a guarded pool know how to send. */
  #isWhole: boolean
  #compiled: { readonly claim: Claim; readonly fetch: CompiledKeyedFetch; readonly left: CompiledLeft } | undefined

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed, release: (rows: readonly object[]) => Promise<void>) {
    this.#scope = scope
    this.#keyed = { ...keyed, kept: scope.kept }
    this.#limitsLook = new LimitsLook(scope, keyed)
    this.#release = release
    this.#isWhole = scope.connections !== undefined && scope.engine.preparedStatements
  }

  /**
   * @param given as many as may begin; the one job that is first, as one that is refused is looked for
   * @param isStopped whether nobody wants them any more
   * @returns undefined where the one that was asked for was refused
   */
  async claim(
    given: { readonly limit: number; readonly isOne: boolean; departed(): void },
    isStopped: () => boolean,
  ): Promise<Claimed | undefined> {
    const { userJobs, settings } = this.#scope
    const sent = performance.now()
    const late = (claimed: Claimed | undefined) => void this.#release(claimed?.rows ?? [])
    const claim = async (db: Jobs['db']): Promise<Claimed | undefined> => {
      if (isStopped()) return { rows: [] }
      const found = await (given.isOne ? this.#one(db) : this.#fetch(db, given))
      return found && { rows: found.rows, left: this.#leftBehind(given.limit, found, sent) }
    }
    return ask(userJobs.db, settings.lease / 3, 'fetch', claim, late)
  }

  async #fetch(db: Jobs['db'], given: { readonly limit: number; departed(): void }): Promise<KeyedRows> {
    const { fetch } = this.#statements
    if (this.#isWhole) {
      try {
        return await this.#sent(db, given, fetch, this.#transaction)
      } catch (error) {
        if (!isNotKnown(error)) throw error
        this.#isWhole = false
      }
    }
    return inClaim(db, this.#transaction, () => this.#sent(db, given, fetch))
  }

  #sent(
    db: Jobs['db'],
    { limit, departed }: { readonly limit: number; departed(): void },
    fetch: CompiledKeyedFetch,
    whole?: ClaimTransaction,
  ): Promise<KeyedRows> {
    const fetched = fetch(db, { limit, ...this.#given(limit) }, whole)
    departed()
    return fetched
  }

  get #transaction(): ClaimTransaction {
    const { table, settings } = this.#scope
    return { limited: isLimited(this.#keyed) ? table : undefined, silence: settings.lease / 3 }
  }

  /** The job that is first, alone. Where the table refuses its claim, it is passed over. */
  async #one(db: Jobs['db']): Promise<KeyedRows | undefined> {
    const { userJobs, passedOver, report } = this.#scope
    const find = () => firstAllowed({ ...userJobs, db }, this.#settings, this.#given(1))
    const row = await inClaim(db, this.#transaction, find)
    const only = row && compileKeyedFetch(userJobs, { ...this.#settings, only: [row] })
    const given = { limit: 1, departed: () => {} }
    try {
      const fetch = () => this.#sent(db, given, only ?? this.#statements.fetch)
      return await inClaim(db, this.#transaction, fetch)
    } catch (error) {
      if (row === undefined || mayPass(error)) throw error
      passedOver.add([row])
      report(error, `claiming job ${row.id}, which is passed over for ${Math.round(passedOver.time / 1000)} s`)
      return undefined
    }
  }

  /** Of each key as many as come to it in one round, where nothing else says how many. */
  #given(limit: number): Pick<KeyedGiven, 'quota' | 'walk'> {
    const { isFair, total = limit, totalRate } = this.#keyed
    const comesToAll = Math.min(limit, total, totalRate?.burst ?? limit)
    const quota = isFair ? Math.max(1, Math.ceil(comesToAll / this.#keys)) : limit
    const most = Math.min(mostKeys, Math.max(this.#most, limit * keysPerJob))
    return { quota, walk: { last: this.#last, most } }
  }

  #leftBehind(limit: number, { rows, walked, wait }: KeyedRows, sent: number): LeftBehind {
    const { walk, quota } = this.#given(limit)
    if (rows.length > 0) this.#lockedPause.reset()
    const [keys, isFull] = [walked?.keys ?? 0, rows.length >= limit]
    const isWhole = keys < walk.most
    this.#last = walked?.last ?? this.#last
    // A fetch that was full has not seen all keys: the next takes less of each, to see more. One that nothing was left for has seen none.
    if (walked !== undefined) this.#keys = isFull ? keys * 2 : Math.max(1, keys)
    this.#fruitless = rows.length === 0 && !isWhole ? this.#fruitless + 1 : 0
    this.#most = this.#fruitless > 0 ? this.#most * 2 : fewestKeys
    const isCut = rows.length > 0 && quota < limit // keys may have more than came to them in a round
    const isMore = isFull || (!isWhole && this.#fruitless < mostFruitless)
    const next = rows.length > 0 ? this.#spacing : Number.POSITIVE_INFINITY // of a rate that was not used before
    const soonest = isCut ? 0 : Math.ceil(Math.min(wait ?? Number.POSITIVE_INFINITY, next))
    this.#left = new LeftBehind(isMore, (hasFreed) => this.#rest(sent, soonest, hasFreed), this.#left)
    return this.#left
  }

  /** Milliseconds that a start takes to be made up for, at least. */
  get #spacing(): number {
    const rates = [this.#keyed.rate, this.#keyed.totalRate].filter((rate) => rate !== undefined)
    return Math.min(...rates.map(spacing))
  }

  /** @param soonest milliseconds after which jobs may be taken that are due already */
  async #rest(sent: number, soonest: number, hasFreed: boolean): Promise<Rest> {
    if (await this.#hasNewLimits()) return { isBlocked: true, due: 0 }
    const { claimedJobs, settings } = this.#scope
    const ago = performance.now() - sent
    const { left } = this.#statements
    const question = (db: Jobs['db']) => left(db, ago)
    const isShared = settings.where !== undefined && countsRunning(this.#keyed) // with others, whose jobs this worker does not see
    if (isShared && hasFreed) void tellOfFreedKeys(this.#scope)
    this.#forget()
    const { isWaiting, due } = await ask(claimedJobs.db, settings.lease / 3, 'next due time', question)
    const isBlocked = (isWaiting && countsRunning(this.#keyed)) || isShared
    // What nothing else keeps back is locked by somebody.
    const isLocked = isWaiting && soonest === Number.POSITIVE_INFINITY && !countsRunning(this.#keyed)
    const wait = isLocked ? this.#lockedPause.next() : soonest - (performance.now() - sent)
    return { isBlocked, due: Math.min(isWaiting ? wait : Number.POSITIVE_INFINITY, due ?? Number.POSITIVE_INFINITY) }
  }

  /** The table of limits was made since the start. */
  async #hasNewLimits(): Promise<boolean> {
    const kept = await this.#limitsLook.look(this.#keyed.kept)
    if (kept === undefined) return false
    this.#keyed = { ...this.#keyed, kept }
    this.#compiled = undefined
    return true
  }

  #forget(): void {
    const { jobs, settings, kept, report } = this.#scope
    const rates = [this.#keyed.rate, this.#keyed.totalRate].filter((rate) => rate !== undefined)
    if (kept === undefined || rates.length === 0 || performance.now() - this.#forgotAt < forgetInterval) return
    this.#forgotAt = performance.now()
    const unused = Math.max(...rates.map((rate) => rate.burst * spacing(rate))) + 60_000
    const forget = (db: Jobs['db']) => forgetLimits({ ...jobs, db }, kept, unused)
    ask(jobs.db, settings.lease / 3, 'deleting limits', forget).catch((error) =>
      report(error, 'deleting unused limits'),
    )
  }

  get #settings(): KeyedSettings {
    return { ...this.#scope.claim, keyed: this.#keyed, worker: this.#scope.worker }
  }

  /** Built once, and anew where the claim has changed. */
  get #statements() {
    const { claim, userJobs, claimedJobs } = this.#scope
    if (this.#compiled !== undefined && isSameClaim(this.#compiled.claim, claim)) return this.#compiled
    const fetch = compileKeyedFetch(userJobs, this.#settings)
    this.#compiled = { claim, fetch, left: compileLeft(claimedJobs, claim) }
    return this.#compiled
  }
}
