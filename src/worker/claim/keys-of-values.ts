import type { Expression } from 'kysely'
import { mostOfAnyKey } from '../../queue/allowance.js'
import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import { countsRunning, isLimited, type Keyed } from '../../queue/claim.js'
import { type ClaimTransaction, inClaim } from '../../queue/claim-transaction.js'
import { compileKeyedFetch, firstAllowed, type KeyedRows, type KeyedSettings } from '../../queue/keyed-fetch.js'
import { realNames } from '../../queue/returned.js'
import { mostValues } from '../../queue/values.js'
import { type Jobs, jobsOfValue } from '../../schema/job-database.js'
import type { WorkerScope } from '../scope.js'
import { claimFirst } from './claim-first.js'
import { KeyLimits } from './key-limits.js'
import { KeyRound } from './key-round.js'

/** Jobs of a value, and whether it may have more at once. */
export interface OfValue {
  readonly rows: readonly object[]
  readonly isMore: boolean
}

/** A value is taken for full no longer (milliseconds), where its rate may have starts left, as its jobs were in the hands of others. */
const longestFull = 5_000

/** Claims jobs of a distributed table by keys that are each of one value: limits and lines are counted where its rows are. */
export class KeysOfValues {
  readonly #scope: WorkerScope
  readonly limits: KeyLimits
  /** Whether each value has one key. */
  readonly #areKeys: boolean
  #rounds = new Map<string, KeyRound>()
  /** When (monotonic milliseconds) the next start of a rate is left, of each value that waits for nothing else. */
  readonly #fullUntil = new Map<string, number>()

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed) {
    this.#scope = scope
    this.limits = new KeyLimits(scope, keyed)
    this.#areKeys = realNames(scope.userJobs, keyed.by).join() === scope.jobs.distributedBy
  }

  /** Where so many jobs of a value run it has room for no more; undefined: each value has keys of its own, or limits in a column. */
  get room(): Expression<number> | undefined {
    const { max, order, kept } = this.limits.keyed
    if (!this.#areKeys) return undefined
    if (order !== undefined) return mostOfAnyKey(undefined, 1)
    return typeof max === 'number' ? mostOfAnyKey(kept, max) : undefined
  }

  /** Whether a value has no start left of its rate, as far as is known. */
  isFull(value: string): boolean {
    if ((this.#fullUntil.get(value) ?? 0) <= performance.now()) this.#fullUntil.delete(value)
    return this.#fullUntil.has(value)
  }

  /** Milliseconds until one of the values that were full has a start left; Infinity: none is full. */
  wait(): number {
    const now = performance.now()
    const soonest = Math.min(...this.#fullUntil.values())
    for (const [value, until] of this.#fullUntil) if (until <= now) this.#fullUntil.delete(value)
    return Math.max(0, soonest - now)
  }

  async fetch(db: Jobs['db'], value: string, limit: number): Promise<OfValue> {
    const round = this.#roundOf(value)
    const given = { limit, ...round.given(this.limits.keyed, limit) }
    const found = await this.#in(db, value, (jobs) => this.#fetch(jobs, given))
    const { isMore } = round.saw(found, given)
    if (!isMore) this.#waitFor(value, found)
    return { rows: found.rows, isMore }
  }

  /** Leaves a value alone until its rate lets more start, where nothing else keeps its jobs back. */
  #waitFor(value: string, { rows, wait }: KeyedRows): void {
    const { keyed, spacing } = this.limits
    if (keyed.rate === undefined || countsRunning(keyed) || !this.#areKeys) return
    const { burst } = keyed.rate
    const next = rows.length === 0 ? wait : rows.length >= burst ? spacing : undefined
    if (next === undefined) return
    const isSure = burst === 1 || rows.length > 0
    this.#fullUntil.set(value, performance.now() + Math.ceil(isSure ? next : Math.min(next, longestFull)))
  }

  /** The job that is first, alone. @returns undefined where it was refused */
  first(db: Jobs['db'], value: string): Promise<readonly object[] | undefined> {
    const given = { limit: 1, ...this.#roundOf(value).given(this.limits.keyed, 1) }
    return claimFirst(
      this.#scope,
      () => this.#in(db, value, (jobs) => firstAllowed(jobs, this.#settings, given)),
      async (row) => (row ? (await this.#in(db, value, (jobs) => this.#fetch(jobs, given, [row]))).rows : []),
    )
  }

  #fetch(jobs: Jobs, given: KeyedGiven, only?: KeyedSettings['only']): Promise<KeyedRows> {
    return compileKeyedFetch(jobs, { ...this.#settings, ...(only && { only }) })(jobs.db, given)
  }

  #in<Result>(db: Jobs['db'], value: string, claim: (jobs: Jobs) => Promise<Result>): Promise<Result> {
    const { userJobs, table, settings } = this.#scope
    const limited = isLimited(this.limits.keyed) ? table : undefined
    const transaction: ClaimTransaction = { limited, value, isElsewhere: true, silence: settings.lease / 6 }
    return inClaim(db, transaction, () => claim(jobsOfValue({ ...userJobs, db }, value)))
  }

  get #settings(): KeyedSettings {
    return { ...this.#scope.claim, keyed: this.limits.keyed, worker: this.#scope.worker }
  }

  #roundOf(value: string): KeyRound {
    if (this.#rounds.size > mostValues) this.#rounds = new Map()
    const round = this.#rounds.get(value) ?? new KeyRound()
    this.#rounds.set(value, round)
    return round
  }
}
