import type { Lease } from '../predicates/lease.js'
import { takeoversOf } from '../predicates/takeover.js'
import type { JobId } from '../schema/columns.js'
import { attemptOf, idOf } from '../schema/row.js'
import type { AbortReason } from './abort-reason.js'

/** From this many takeovers in a row a job is suspected of killing its workers. */
const suspectTakeovers = 2

/**
 * One run of the handler for one claim. Its lease is held until it is settled, released or lost: a handler may
 * outlive it (timeout), and it outlives the handler until the outcome is written.
 */
export class Attempt implements Lease {
  readonly job: object
  readonly id: JobId
  readonly attempt: number
  /** Taken over from dead workers more than once: it runs alone in its process. */
  readonly suspect: boolean
  /** Whether this attempt may still write to its row. */
  holdsLease = true
  /** Its handler was called. */
  begun = false
  /** Its outcome is decided; what the handler still does is not written. */
  ended = false
  /** Settled inside the user's transaction: what is still written is only a confirmation. */
  completed = false
  /** Monotonic milliseconds at which the claim, or the last renewal that came back, was sent. */
  renewedAt: number
  readonly #controller = new AbortController()

  constructor(job: object, claimedAt: number) {
    this.job = job
    this.id = idOf(job)
    this.attempt = attemptOf(job)
    this.suspect = takeoversOf(job) >= suspectTakeovers
    this.renewedAt = claimedAt
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Tells the handler to stop; the first reason stands. */
  abort(reason: AbortReason): void {
    this.#controller.abort(reason)
  }

  /** The row is another's, or nobody's: nothing may be written of this attempt any more. */
  lose(reason: AbortReason): void {
    this.holdsLease = false
    this.abort(reason)
  }
}
