import type { Expression } from 'kysely'
import { mostOfAnyKey } from '../../queue/allowance.js'
import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import { isLimited, isRated, type Keyed } from '../../queue/claim.js'
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

/** Claims jobs of a distributed table by keys that are each of one value: limits and lines are counted where its rows are. */
export class KeysOfValues {
  readonly #scope: WorkerScope
  readonly limits: KeyLimits
  #rounds = new Map<string, KeyRound>()
  /** When (monotonic milliseconds) the next start of a rate is left, of each value that waits for nothing else. */
  readonly #fullUntil = new Map<string, number>()

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed) {
    this.#scope = scope
    this.limits = new KeyLimits(scope, keyed)
  }

  /** Where so many jobs of a value run it has room for no more; undefined: each value has keys of its own, or limits in a column. */
  get room(): Expression<number> | undefined {
    const { by, max, order, kept } = this.limits.keyed
    if (realNames(this.#scope.userJobs, by).join() !== this.#scope.jobs.distributedBy) return undefined
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
    if (!isMore && isRated(this.limits.keyed)) this.#waitFor(value, found)
    return { rows: found.rows, isMore }
  }

  /** Until its rate lets more start, of which those that were just claimed are used. */
  #waitFor(value: string, { rows, wait = Number.POSITIVE_INFINITY }: KeyedRows): void {
    const next = rows.length > 0 ? this.limits.spacing : Number.POSITIVE_INFINITY
    const soonest = Math.ceil(Math.min(wait, next))
    if (Number.isFinite(soonest)) this.#fullUntil.set(value, performance.now() + soonest)
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
