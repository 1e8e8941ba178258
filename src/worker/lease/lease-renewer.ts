import { concernsAll } from '../../pg/error-class.js'
import { heartbeat } from '../../queue/heartbeat.js'
import { type JobState, statesOf } from '../../queue/state.js'
import { ask } from '../ask.js'
import { halves } from '../halves.js'
import { type AbortReason, CancelledError, LeaseLostError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'

/** How much of its lease an attempt is old before it is renewed: short jobs cost no heartbeat. */
const renewAfter = 1 / 3
/** How much of its lease an attempt is old, unrenewed, when its handler is aborted, or not begun: before anyone may take it. */
export const abortAfter = 5 / 6
/** How often the ages are looked at; no query unless one is old enough. */
const beat = 1 / 12

/**
 * Renews the leases of a worker's attempts, all in one statement, and aborts those that can't be renewed in time
 * or are another's by now. No renewal waits longer than a sixth of the lease, also where handlers hold every
 * connection of the pool.
 */
export class LeaseRenewer {
  readonly #scope: WorkerScope
  readonly #attempts: ReadonlyMap<unknown, Attempt>
  #timer: ReturnType<typeof setInterval> | undefined
  #beating = false

  constructor(scope: WorkerScope, attempts: ReadonlyMap<unknown, Attempt>) {
    this.#scope = scope
    this.#attempts = attempts
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), this.#scope.settings.lease * beat)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks after all leases at once: somebody said that one was taken. */
  check(): void {
    const held = [...this.#attempts.values()].filter(({ holdsLease }) => holdsLease)
    if (held.length > 0) void this.#renew(held)
  }

  /** Milliseconds that the oldest lease has left; undefined where there is none. */
  get margin(): number | undefined {
    const ages = [...this.#attempts.values()].map((attempt) => this.#age(attempt))
    return ages.length === 0 ? undefined : this.#scope.settings.lease - Math.max(...ages)
  }

  #age(attempt: Attempt): number {
    return performance.now() - attempt.renewedAt
  }

  #look(): void {
    const { lease } = this.#scope.settings
    const held = [...this.#attempts.values()].filter(({ holdsLease }) => holdsLease)
    for (const attempt of held) {
      if (this.#age(attempt) >= lease * abortAfter && attempt.abortReason === undefined) this.#abortUnrenewed(attempt)
    }
    const old = held.filter((attempt) => this.#age(attempt) >= lease * renewAfter)
    if (old.length > 0 && !this.#beating) void this.#renew(old)
  }

  #abortUnrenewed(attempt: Attempt): void {
    const { lease } = this.#scope.settings
    const text = `Job ${attempt.id}, attempt ${attempt.attempt}: its lease of ${lease} ms could not be renewed in time`
    attempt.abort(new LeaseLostError(text))
    this.#scope.report(attempt.abortReason, 'renewing a lease')
  }

  async #renew(attempts: readonly Attempt[]): Promise<void> {
    this.#beating = true
    await this.#renewTogether(attempts)
    this.#beating = false
  }

  /** A row that is refused (a CHECK made since its claim, a trigger) keeps no other from being renewed: it is found by halving. */
  async #renewTogether(attempts: readonly Attempt[]): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    const sent = performance.now()
    const renew = (held: readonly Attempt[]) => {
      for (const attempt of held) attempt.renewedAt = sent
    }
    try {
      const send = (db: typeof jobs.db) => heartbeat(db, jobs.name, attempts, { worker, key: jobs.key })
      const held = await ask(jobs.db, settings.lease / 6, 'heartbeat', send, renew)
      renew(held)
      const missing = attempts.filter((attempt) => !held.includes(attempt))
      if (missing.length > 0) await this.#lookAfter(missing)
    } catch (error) {
      this.#scope.report(error, `renewing ${attempts.length} leases`)
      if (!concernsAll(error)) for (const half of halves(attempts)) await this.#renewTogether(half)
    }
  }

  /** Rows that could not be renewed are lost, or only locked: by a transaction of their handler, most likely. */
  async #lookAfter(missing: readonly Attempt[]): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    const states = await ask(jobs.db, settings.lease / 6, 'job states', (db) => statesOf({ ...jobs, db }, missing))
    for (const attempt of missing) {
      if (!attempt.holdsLease) continue // settled meanwhile
      const state = states.get(attempt)
      const isHeld = state?.worker === worker && state.attempt === attempt.attempt
      if (isHeld || isCompleted(attempt, state, settings.deleteSucceeded && this.#age(attempt) < settings.lease)) {
        attempt.renewedAt = performance.now() - settings.lease * renewAfter // nobody can take a locked row; look again soon
      } else if (!attempt.ended) {
        this.#lose(attempt, whyLost(attempt, state)) // of one that ended the settler tells
      }
    }
  }

  #lose(attempt: Attempt, reason: AbortReason): void {
    attempt.lose(reason)
    const about = { job: attempt.job, attempt: attempt.attempt }
    if (reason instanceof CancelledError) this.#scope.tell('cancelled', { ...about, reason: reason.message })
    else this.#scope.tell('lost', { ...about, reason })
  }
}

/** Completed in a transaction that has committed; the handler goes on, and has nothing left to lose. */
function isCompleted({ completed, attempt }: Attempt, state: JobState | undefined, mayBeDeleted: boolean): boolean {
  if (!completed) return false
  return state === undefined ? mayBeDeleted : state.attempt === attempt && state.status === 'job_status_succeeded'
}

function whyLost({ id, attempt }: Attempt, state: JobState | undefined): AbortReason {
  const job = `Job ${id}, attempt ${attempt}`
  if (state === undefined) return new LeaseLostError(`${job}: its row is gone`)
  const cancelled = state.status === 'job_status_cancelled' || state.lastError?.startsWith('Cancelled: ')
  if (cancelled) return new CancelledError(`${job}: ${state.lastError ?? 'Cancelled'}`)
  return new LeaseLostError(`${job}: its row was taken by another (it is now ${state.status})`)
}
