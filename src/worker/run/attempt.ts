import type { Lease } from '../../predicates/lease.js'
import type { JobId } from '../../schema/columns.js'
import { interruptionsOf } from '../../schema/lease-token.js'
import { columnValue, leaseOf } from '../../schema/row.js'
import type { AbortReason } from './abort-reason.js'

/**
 * One run of the handler for one claim. Its lease is held until it is settled, released or lost: a handler may
 * outlive it (timeout), and it outlives the handler until the outcome is written.
 */
export class Attempt implements Lease {
  readonly job: object
  readonly id: JobId
  readonly attempt: number
  readonly key: string | undefined
  /** How often in a row its job was interrupted before: taken over from a worker that was gone. */
  readonly interruptions: number
  /** Whether this attempt may still write to its row. */
  holdsLease = true
  /** Its handler was called. */
  begun = false
  /** Its outcome is decided; what the handler still does is not written. */
  ended = false
  /** Settled inside the user's transaction: what is still written is only a confirmation. */
  completed = false
  /** A try to write its outcome failed; where just the answer was lost, it came through. */
  wasTried = false
  /** Monotonic milliseconds at which the claim, or the last renewal that came back, was sent. */
  renewedAt: number
  /** Why it was aborted, if it was. */
  abortReason: AbortReason | undefined
  /** Made for the handler: what is claimed and handed back needs none. */
  #controller: AbortController | undefined

  constructor(job: object, claimedAt: number) {
    this.job = job
    const { id, attempt, key } = leaseOf(job)
    this.id = id
    this.attempt = attempt
    this.key = key
    this.interruptions = interruptionsOf(columnValue(job, 'locked_by'))
    this.renewedAt = claimedAt
  }

  /** Its job's row, among those of its table. */
  get row(): string {
    return this.key ?? String(this.id)
  }

  /** Not where it was lost or cancelled while it waited; nor where the process stood still, and by now another may have it. */
  mayBegin(limit: number): boolean {
    return this.holdsLease && performance.now() - this.renewedAt < limit
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason)
    }
    return this.#controller.signal
  }

  /** Tells the handler to stop; the first reason stands. */
  abort(reason: AbortReason): void {
    this.abortReason ??= reason
    this.#controller?.abort(reason)
  }

  /** The row is another's, or nobody's: nothing may be written of this attempt any more. */
  lose(reason: AbortReason): void {
    this.holdsLease = false
    this.abort(reason)
  }
}
