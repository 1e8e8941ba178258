import type { Lease } from '../../predicates/lease.js'
import type { Outcome } from '../../queue/outcome.js'
import type { JobId } from '../../schema/columns.js'
import { interruptionsIn, leaseOf } from '../../schema/row.js'
import type { AbortReason } from './abort-reason.js'
import type { Trace } from './trace.js'

/**
 * The states of an attempt, each with those that may follow it:
 * - **claimed**: its row is ours, and it waits for a slot. In by a fetch; out when its handler is called, when it is released
 *   or when its row is lost.
 * - **begun**: its handler was called. Out when its outcome is decided, or its row is lost.
 * - **ended**: its outcome is decided and is being written: its handler returned, threw or ran out of time (then it may go on
 *   running, and nothing more of it counts), or it was released unbegun. Out when the outcome is written, when it can't be
 *   written any more, or when its job comes to this worker again.
 * - **outdated**: ended, but its job has come to this worker again, maybe by the same attempt number, so that the fence would
 *   let the outcome through: it must not be sent any more. The settler tells whether it was written before.
 * - **written**: its outcome is in the database. Final.
 * - **lost**: its row is another's, or nobody's, or could not be renewed: nothing of it may be written. Final.
 */
export const attemptMoves = {
  claimed: ['begun', 'ended', 'lost'],
  begun: ['ended', 'lost'],
  ended: ['written', 'lost', 'outdated'],
  outdated: ['written', 'lost'],
  written: [],
  lost: [],
} as const satisfies Record<string, readonly string[]>

export type AttemptState = keyof typeof attemptMoves

/** The transaction that holds the row of an attempt, in place of a lease. */
export interface Holder {
  /** Takes its outcome. */
  add(attempt: Attempt, outcome: Outcome): void
  /** Ends, so that the row is free or its attempt has a lease. */
  end(): Promise<void>
}

/**
 * One claim of one job, from the fetch until its outcome is written or it is lost. All that changes of it changes here; a move
 * that its state does not allow is refused, as whoever asks for it came too late. Times are monotonic milliseconds.
 */
export class Attempt implements Lease {
  readonly job: object
  readonly id: JobId
  readonly attempt: number
  readonly key: string | undefined
  /** How often in a row its job was interrupted before: taken over from a worker that was gone. */
  readonly interruptions: number
  /** When its claim was sent. */
  readonly claimedAt: number
  /** The span around its handler, where there is one. */
  trace: Trace | undefined
  #holder: Holder | undefined
  #wasHeld = false
  #state: AttemptState = 'claimed'
  #renewedAt: number
  #begunAt: number | undefined
  #endedAt: number | undefined
  #completed = false
  #wasTried = false
  #conflicted = false
  #abortReason: AbortReason | undefined
  #abortedAt: number | undefined
  /** Made for the handler: what is claimed and released needs none. */
  #controller: AbortController | undefined
  #tellAbort: ((reason: AbortReason) => void) | undefined

  constructor(job: object, claimedAt: number) {
    this.job = job
    const { id, attempt, key } = leaseOf(job)
    this.id = id
    this.attempt = attempt
    this.key = key
    this.interruptions = interruptionsIn(job)
    this.claimedAt = claimedAt
    this.#renewedAt = claimedAt
  }

  /** Its job's row, among those of its table. */
  get row(): string {
    return this.key ?? String(this.id)
  }

  get state(): AttemptState {
    return this.#state
  }

  /** Whether its row is ours to write, as far as we know. */
  get holdsLease(): boolean {
    return this.#state === 'begun' || this.#state === 'claimed' || this.#state === 'ended'
  }

  /** What holds its row; undefined where that is a lease. */
  get holder(): Holder | undefined {
    return this.#holder
  }

  /** Its lease, if it has one, is younger than its claim. */
  get wasHeld(): boolean {
    return this.#wasHeld
  }

  /** Its row is held by a transaction, or no more. */
  hold(holder: Holder | undefined): void {
    this.#holder = holder
    this.#wasHeld = true
  }

  /** Whether its outcome is still to be decided. */
  get isOpen(): boolean {
    return this.#state === 'begun' || this.#state === 'claimed'
  }

  /** When the claim, or the last renewal that came back, was sent. */
  get renewedAt(): number {
    return this.#renewedAt
  }

  /** When its handler was called. */
  get begunAt(): number | undefined {
    return this.#begunAt
  }

  /** How long its handler ran until its outcome was decided; undefined where it was not called. */
  get duration(): number | undefined {
    if (this.#begunAt === undefined) return undefined
    return (this.#endedAt ?? performance.now()) - this.#begunAt
  }

  /** Settled inside the user's transaction, whether or not that has committed: what is still written is only a confirmation. */
  get completed(): boolean {
    return this.#completed
  }

  /** A try to write its outcome failed; where just the answer was lost, it came through. */
  get wasTried(): boolean {
    return this.#wasTried
  }

  /** Its own transaction could not write to its row, as its heartbeat had. */
  get conflicted(): boolean {
    return this.#conflicted
  }

  /** Why it was aborted, if it was. */
  get abortReason(): AbortReason | undefined {
    return this.#abortReason
  }

  get abortedAt(): number | undefined {
    return this.#abortedAt
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  /** Not where it was lost or cancelled while it waited; nor where the process stood still, and by now another may have it. */
  mayBegin(limit: number): boolean {
    return this.#state === 'claimed' && performance.now() - this.#renewedAt < limit
  }

  /** Its handler is called now. */
  begin(): boolean {
    if (!this.#move('begun')) return false
    this.#begunAt = performance.now()
    return true
  }

  /** Its outcome is decided. The first counts. */
  end(): boolean {
    if (!this.#move('ended')) return false
    this.#endedAt = performance.now()
    return true
  }

  /** Its outcome is in the database. */
  written(): boolean {
    return this.#move('written')
  }

  /** Its row is another's, or nobody's; its handler is told. */
  lose(reason: AbortReason): boolean {
    if (!this.#move('lost')) return false
    this.abort(reason)
    return true
  }

  /** Its job has come to this worker again. @returns whether it is lost by that; of one that has ended the settler tells */
  supersede(reason: AbortReason): boolean {
    if (!this.#move('outdated')) return this.lose(reason)
    this.abort(reason)
    return false
  }

  /** Its lease was renewed by what was sent then. */
  renewed(sent: number): void {
    this.#renewedAt = sent
  }

  /** Its handler has settled it inside a transaction of its own. */
  complete(): void {
    this.#completed = true
  }

  /** Its own transaction can't write to its row, as something has since that began. */
  conflict(): void {
    this.#conflicted = true
  }

  /** A try to write its outcome has failed. */
  tried(): void {
    this.#wasTried = true
  }

  /** Tells the handler to stop; the first reason stands. */
  abort(reason: AbortReason): void {
    this.#abortReason ??= reason
    this.#abortedAt ??= performance.now()
    this.#controller?.abort(reason)
    this.#tellAbort?.(reason)
  }

  /** Tells whoever has another signal for it, each time. */
  whenAborted(tell: (reason: AbortReason) => void): void {
    this.#tellAbort = tell
  }

  #move(to: AttemptState): boolean {
    const allowed: readonly AttemptState[] = attemptMoves[this.#state]
    if (!allowed.includes(to)) return false
    this.#state = to
    return true
  }
}
