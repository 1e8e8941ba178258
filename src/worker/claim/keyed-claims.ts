import { sqlState } from '../../pg/error-class.js'
import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import { type Claim, countsRunning, isLimited, isSameClaim, type Keyed } from '../../queue/claim.js'
import { type ClaimTransaction, inClaim } from '../../queue/claim-transaction.js'
import {
  type CompiledKeyedFetch,
  type CompiledLeft,
  compileKeyedFetch,
  compileLeft,
  firstAllowed,
  type KeyedRows,
  type KeyedSettings,
} from '../../queue/keyed-fetch.js'
import { isElsewhere } from '../../schema/engine.js'
import type { Jobs } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import { claimFirst } from './claim-first.js'
import type { Claimed } from './claimed.js'
import { tellOfFreedKeys } from './freed-keys.js'
import { KeyLimits } from './key-limits.js'
import { KeyRound } from './key-round.js'
import { LeftBehind, type Rest } from './left-behind.js'

/** What the server says of a transaction that a connection has not known how to send; and no function of the user's. */
const isNotKnown = (error: unknown) => sqlState(error) === '42601' && Reflect.get(Object(error), 'where') === undefined

/** Claims jobs from key to key, each time from where the last fetch ended. */
export class KeyedClaims {
  readonly #scope: WorkerScope
  readonly #limits: KeyLimits
  readonly #release: (rows: readonly object[]) => Promise<void>
  readonly #round = new KeyRound()
  readonly #lockedPause = new Pause()
  #left: LeftBehind | undefined
  /**
   * Claims go together with their transactions, which the connections of a guarded pool know how to send. Not to a node: the clock of its claims is
   * `statement_timestamp()`, which in one message is from before the wait for the lock.
   */
  #isWhole: boolean
  #compiled: { readonly claim: Claim; readonly fetch: CompiledKeyedFetch; readonly left: CompiledLeft } | undefined

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed, release: (rows: readonly object[]) => Promise<void>) {
    this.#scope = scope
    this.#limits = new KeyLimits(scope, keyed)
    this.#release = release
    const { connections, engine, userJobs } = scope
    this.#isWhole = connections !== undefined && engine.preparedStatements && !isElsewhere(userJobs.home)
  }

  /**
   * @param given as many as may begin; the one job that is first, as one that is refused is looked for
   * @param isStopped whether nobody wants them any more
   * @returns undefined where the one that was asked for was refused
   */
  async claim(
    { isOne, departed, ...given }: { readonly limit: number; readonly isOne: boolean; departed(): void },
    isStopped: () => boolean,
  ): Promise<Claimed | undefined> {
    const { userJobs, settings } = this.#scope
    const sent = performance.now()
    const late = (claimed: Claimed | undefined) => void this.#release(claimed?.rows ?? [])
    const claim = async (db: Jobs['db']): Promise<Claimed | undefined> => {
      if (isStopped()) return { rows: [] }
      const limit = isOne ? 1 : given.limit
      const all = { limit, ...this.#round.given(this.#keyed, limit) }
      const found = await (isOne ? this.#one(db, all) : this.#fetch(db, all, departed))
      return found && { rows: found.rows, left: this.#leftBehind(all, found, sent) }
    }
    return ask(userJobs.db, settings.lease / 3, 'fetch', claim, late)
  }

  async #fetch(db: Jobs['db'], given: KeyedGiven, departed: () => void): Promise<KeyedRows> {
    const { fetch } = this.#statements
    if (this.#isWhole) {
      try {
        return await this.#sent(db, given, departed, fetch, this.#transaction)
      } catch (error) {
        if (!isNotKnown(error)) throw error
        this.#isWhole = false
      }
    }
    return inClaim(db, this.#transaction, () => this.#sent(db, given, departed, fetch))
  }

  #sent(
    db: Jobs['db'],
    given: KeyedGiven,
    departed: () => void,
    fetch: CompiledKeyedFetch,
    whole?: ClaimTransaction,
  ): Promise<KeyedRows> {
    const fetched = fetch(db, given, whole)
    departed()
    return fetched
  }

  get #transaction(): ClaimTransaction {
    const { table, settings, userJobs } = this.#scope
    const limited = isLimited(this.#keyed) ? table : undefined
    return { limited, silence: settings.lease / 3, isElsewhere: isElsewhere(userJobs.home) }
  }

  /** The job that is first, alone. @returns undefined where it was refused */
  #one(db: Jobs['db'], given: KeyedGiven): Promise<KeyedRows | undefined> {
    const { userJobs } = this.#scope
    const find = () => firstAllowed({ ...userJobs, db }, this.#settings, given)
    return claimFirst(
      this.#scope,
      () => inClaim(db, this.#transaction, find),
      (row) => {
        const only = row && compileKeyedFetch(userJobs, { ...this.#settings, only: [row] })
        return inClaim(db, this.#transaction, () => this.#sent(db, given, () => {}, only ?? this.#statements.fetch))
      },
    )
  }

  #leftBehind(given: KeyedGiven, found: KeyedRows, sent: number): LeftBehind {
    const { isMore, isCut } = this.#round.saw(found, given)
    const { rows, wait } = found
    if (rows.length > 0) this.#lockedPause.reset()
    const next = rows.length > 0 ? this.#limits.spacing : Number.POSITIVE_INFINITY // of a rate that was not used before
    const soonest = isCut ? 0 : Math.ceil(Math.min(wait ?? Number.POSITIVE_INFINITY, next))
    this.#left = new LeftBehind(isMore, (hasFreed) => this.#rest(sent, soonest, hasFreed), this.#left)
    return this.#left
  }

  /** @param soonest milliseconds after which jobs may be taken that are due already */
  async #rest(sent: number, soonest: number, hasFreed: boolean): Promise<Rest> {
    if (await this.#limits.look()) {
      this.#compiled = undefined
      return { isBlocked: true, due: 0 }
    }
    const { claimedJobs, settings } = this.#scope
    const ago = performance.now() - sent
    const { left } = this.#statements
    const question = (db: Jobs['db']) => left(db, ago)
    const isShared = settings.where !== undefined && countsRunning(this.#keyed) // with others, whose jobs this worker does not see
    if (isShared && hasFreed) void tellOfFreedKeys(this.#scope)
    this.#limits.forget()
    const { isWaiting, due } = await ask(claimedJobs.db, settings.lease / 3, 'next due time', question)
    const isBlocked = (isWaiting && countsRunning(this.#keyed)) || isShared
    // What nothing else keeps back is locked by somebody.
    const isLocked = isWaiting && soonest === Number.POSITIVE_INFINITY && !countsRunning(this.#keyed)
    const wait = isLocked ? this.#lockedPause.next() : soonest - (performance.now() - sent)
    return { isBlocked, due: Math.min(isWaiting ? wait : Number.POSITIVE_INFINITY, due ?? Number.POSITIVE_INFINITY) }
  }

  get #keyed(): Keyed {
    return this.#limits.keyed
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
