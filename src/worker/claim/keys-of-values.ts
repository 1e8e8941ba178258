import type { KeyedGiven } from '../../queue/allowed-jobs.js'
import { isLimited, type Keyed } from '../../queue/claim.js'
import { type ClaimTransaction, inClaim } from '../../queue/claim-transaction.js'
import { compileKeyedFetch, firstAllowed, type KeyedRows, type KeyedSettings } from '../../queue/keyed-fetch.js'
import { mostValues } from '../../queue/values.js'
import { type Jobs, jobsOfValue } from '../../schema/job-database.js'
import type { WorkerScope } from '../scope.js'
import { claimFirst } from './claim-first.js'
import { KeyRound } from './key-round.js'

/** Jobs of a value; whether it may have more at once, or has some that have to wait for others. */
export interface OfValue {
  readonly rows: readonly object[]
  readonly isMore: boolean
  readonly isFull: boolean
}

/** Claims jobs of a distributed table by keys that are each of one value: limits and lines are counted where its rows are. */
export class KeysOfValues {
  readonly #scope: WorkerScope
  readonly #keyed: Keyed
  #rounds = new Map<string, KeyRound>()
  /** When (monotonic milliseconds) the next start of a rate is left; Infinity: none is waited for. */
  #soonest = Number.POSITIVE_INFINITY

  /** @param keyed as the options have it */
  constructor(scope: WorkerScope, keyed: Keyed) {
    this.#scope = scope
    this.#keyed = { ...keyed, kept: scope.kept }
  }

  /** Milliseconds until the next start of a rate is left, of those that were waited for since this was asked before. */
  get wait(): number {
    const wait = Math.max(0, this.#soonest - performance.now())
    this.#soonest = Number.POSITIVE_INFINITY
    return wait
  }

  async fetch(db: Jobs['db'], value: string, limit: number): Promise<OfValue> {
    const round = this.#roundOf(value)
    const given = { limit, ...round.given(this.#keyed, limit) }
    const found = await this.#in(db, value, (jobs) => this.#fetch(jobs, given))
    return { rows: found.rows, isMore: round.saw(found, given).isMore, isFull: found.walked !== undefined }
  }

  /** The job that is first, alone. @returns undefined where it was refused */
  first(db: Jobs['db'], value: string): Promise<readonly object[] | undefined> {
    const given = { limit: 1, ...this.#roundOf(value).given(this.#keyed, 1) }
    return claimFirst(
      this.#scope,
      () => this.#in(db, value, (jobs) => firstAllowed(jobs, this.#settings, given)),
      async (row) => (row ? (await this.#in(db, value, (jobs) => this.#fetch(jobs, given, [row]))).rows : []),
    )
  }

  async #fetch(jobs: Jobs, given: KeyedGiven, only?: KeyedSettings['only']): Promise<KeyedRows> {
    const fetch = compileKeyedFetch(jobs, { ...this.#settings, ...(only && { only }) })
    const found = await fetch(jobs.db, given)
    this.#soonest = Math.min(this.#soonest, performance.now() + (found.wait ?? Number.POSITIVE_INFINITY))
    return found
  }

  #in<Result>(db: Jobs['db'], value: string, claim: (jobs: Jobs) => Promise<Result>): Promise<Result> {
    const { userJobs, table, settings } = this.#scope
    const limited = isLimited(this.#keyed) ? table : undefined
    const transaction: ClaimTransaction = { limited, value, isElsewhere: true, silence: settings.lease / 6 }
    return inClaim(db, transaction, () => claim(jobsOfValue({ ...userJobs, db }, value)))
  }

  get #settings(): KeyedSettings {
    return { ...this.#scope.claim, keyed: this.#keyed, worker: this.#scope.worker }
  }

  #roundOf(value: string): KeyRound {
    if (this.#rounds.size > mostValues) this.#rounds = new Map()
    const round = this.#rounds.get(value) ?? new KeyRound()
    this.#rounds.set(value, round)
    return round
  }
}
