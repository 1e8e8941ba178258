import { setTimeout as sleep } from 'node:timers/promises'
import { concernsAll } from '../../pg/error-class.js'
import { byValue } from '../../queue/by-value.js'
import { heartbeat } from '../../queue/heartbeat.js'
import type { HeldLeases } from '../../queue/poll.js'
import { type JobState, statesOf } from '../../queue/state.js'
import { tokensOf } from '../../schema/lease-token.js'
import { ask } from '../ask.js'
import { halves } from '../halves.js'
import { type AbortReason, CancelledError, LeaseLostError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'
import { LeaseKeeper } from './lease-keeper.js'

/** How much of its lease an attempt is old before it is renewed: short jobs cost no heartbeat. */
export const renewAfter = 1 / 3
/** How much of its lease an attempt is old, unrenewed, when its handler is aborted, or not begun: before anyone may take it. */
export const abortAfter = 5 / 6
/** How often the ages are looked at; no query unless one is old enough. */
const beat = 1 / 12
/** Anyone who may connect can say that a lease was taken, as often as they like: so long (milliseconds) between two looks. */
const checkPeriod = 1_000
/** Leases that are younger (milliseconds) are not asked for by each poll. */
const lastsAfter = 1_000

/**
 * Renews the leases of a worker's attempts, all in one statement, and aborts those that can't be renewed in time
 * or are another's by now. No renewal waits longer than a sixth of the lease, also where handlers hold every
 * connection of the pool.
 */
export class LeaseRenewer {
  readonly #scope: WorkerScope
  readonly #attempts: ReadonlyMap<unknown, Attempt>
  readonly #keeper: LeaseKeeper
  #timer: ReturnType<typeof setInterval> | undefined
  #renewing = false
  #checking = false
  #checkAgain = false

  constructor(scope: WorkerScope, attempts: ReadonlyMap<unknown, Attempt>) {
    this.#scope = scope
    this.#attempts = attempts
    this.#keeper = new LeaseKeeper(scope, (letGo) => void this.#renewTogether(letGo))
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), this.#scope.settings.lease * beat)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#keeper.stop()
  }

  /** Somebody said that a lease was taken: looks, without renewing any, which are still held. One look is under way, one remembered. */
  check(): void {
    this.#checkAgain = true
    if (!this.#checking) void this.#check()
  }

  async #check(): Promise<void> {
    for (this.#checking = true; this.#checkAgain; await sleep(checkPeriod, undefined, { ref: false })) {
      this.#checkAgain = false
      const held = this.#held
      await this.#loseTaken(held).catch((error) => this.#scope.report(error, `looking for ${held.length} leases`))
    }
    this.#checking = false
  }

  get #held(): Attempt[] {
    return [...this.#attempts.values()].filter(({ holdsLease, holder }) => holdsLease && holder === undefined)
  }

  /** Of jobs that have gone on for a while: short ones are over before it matters whether they were cancelled. */
  get lasting(): HeldLeases {
    const since = performance.now() - lastsAfter
    const leases = this.#held.filter(({ isOpen, completed, claimedAt }) => isOpen && !completed && claimedAt <= since)
    return { leases, tokens: tokensOf(this.#scope.worker) }
  }

  /** Milliseconds that the oldest lease has left; undefined where there is none. */
  get margin(): number | undefined {
    const leased = [...this.#attempts.values()].filter(({ holder }) => holder === undefined)
    const ages = leased.map((attempt) => this.#age(attempt))
    return ages.length === 0 ? undefined : this.#scope.settings.lease - Math.max(...ages)
  }

  #age(attempt: Attempt): number {
    return performance.now() - attempt.renewedAt
  }

  #look(): void {
    const { lease } = this.#scope.settings
    const held = this.#held.filter((attempt) => !isAhead(attempt))
    for (const attempt of held) {
      if (this.#age(attempt) >= lease * abortAfter && attempt.abortReason === undefined) this.#abortUnrenewed(attempt)
    }
    const old = held.filter((attempt) => this.#age(attempt) >= lease * renewAfter)
    if (old.length > 0 && !this.#renewing) void this.#renew(old)
  }

  #abortUnrenewed(attempt: Attempt): void {
    const { lease } = this.#scope.settings
    const text = `Job ${attempt.id}, attempt ${attempt.attempt}: its lease of ${lease} ms could not be renewed in time`
    attempt.abort(new LeaseLostError(text))
    this.#scope.report(attempt.abortReason, 'renewing a lease')
  }

  async #renew(attempts: readonly Attempt[]): Promise<void> {
    this.#renewing = true
    const left = await this.#keeper.keep(attempts)
    // Of a distributed table value by value: what one node says concerns no other.
    for (const [, some] of byValue(this.#scope.jobs, left)) await this.#renewTogether(some)
    this.#renewing = false
  }

  /** A row that is refused (a CHECK made since its claim, a trigger) keeps no other from being renewed: it is found by halving. */
  async #renewTogether(attempts: readonly Attempt[]): Promise<void> {
    if (attempts.length === 0) return
    const { jobs, worker, settings } = this.#scope
    const sent = performance.now()
    const renew = (held: readonly Attempt[]) => {
      for (const attempt of held) attempt.renewed(sent)
    }
    try {
      const send = (db: typeof jobs.db) =>
        heartbeat(db, jobs.name, attempts, { worker, key: jobs.key, home: jobs.home })
      const held = await ask(jobs.db, settings.lease / 6, 'heartbeat', send, renew)
      renew(held)
      const renewed = new Set(held)
      for (const locked of await this.#loseTaken(attempts.filter((attempt) => !renewed.has(attempt)))) {
        locked.renewed(performance.now() - settings.lease * renewAfter) // nobody can take a locked row; look again soon
      }
    } catch (error) {
      this.#scope.report(error, `renewing ${attempts.length} leases`)
      if (!concernsAll(error)) for (const half of halves(attempts)) await this.#renewTogether(half)
    }
  }

  /** Tells which of these leases are lost. @returns the others: their rows may be locked, most likely by a transaction of their handler */
  async #loseTaken(attempts: readonly Attempt[]): Promise<Attempt[]> {
    if (attempts.length === 0) return []
    const { jobs, worker, settings, finished } = this.#scope
    const look = (db: typeof jobs.db) => statesOf({ ...jobs, db }, attempts, finished.archive)
    const states = await ask(jobs.db, settings.lease / 6, 'job states', look)
    return attempts.filter((attempt) => {
      if (!attempt.holdsLease) return false // settled meanwhile
      const state = states.get(attempt)
      if (state?.worker === worker && state.attempt === attempt.attempt) return true
      if (isCompleted(attempt, state, settings.succeeded === 'delete' && this.#age(attempt) < settings.lease))
        return true
      if (attempt.isOpen) this.#lose(attempt, whyLost(attempt, state)) // of one that ended the settler tells
      return false
    })
  }

  #lose(attempt: Attempt, reason: AbortReason): void {
    attempt.lose(reason)
    const about = { job: attempt.job, attempt: attempt.attempt }
    if (reason instanceof CancelledError) this.#scope.tell('cancelled', { ...about, reason: reason.reason })
    else this.#scope.tell('lost', { ...about, reason })
  }
}

/** Claimed ahead, and not begun: renewed, its attempt would count; it begins before its lease ends, or is released. */
function isAhead({ state, interruptions }: Attempt): boolean {
  return state === 'claimed' && interruptions === 0
}

/** Completed in a transaction that has committed; the handler goes on, and has nothing left to lose. */
function isCompleted({ completed, attempt }: Attempt, state: JobState | undefined, mayBeDeleted: boolean): boolean {
  if (!completed) return false
  return state === undefined ? mayBeDeleted : state.attempt === attempt && state.status === 'job_status_succeeded'
}

function whyLost({ id, attempt }: Attempt, state: JobState | undefined): AbortReason {
  const job = `Job ${id}, attempt ${attempt}`
  if (state === undefined) return new LeaseLostError(`${job}: its row is gone`)
  const [, said] = /^Cancelled: (.*)/s.exec(state.lastError ?? '') ?? []
  if (state.status === 'job_status_cancelled' || said !== undefined) {
    const reason = said ?? state.lastError ?? 'no reason was given'
    return new CancelledError(`${job}: Cancelled: ${reason}`, reason)
  }
  return new LeaseLostError(`${job}: its row was taken by another (it is now ${state.status})`)
}
