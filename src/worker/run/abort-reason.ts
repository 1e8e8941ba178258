/** `signal.reason` of an attempt whose timeout passed. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  readonly code = 'TIMEOUT'
}

/** `signal.reason`, and what `context.complete` throws, when the row is no longer this attempt's. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
  readonly code = 'LEASE_LOST'
}

/** `signal.reason` of an attempt whose job was cancelled while it ran. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError'
  readonly code = 'CANCELLED'
  /** Why, as whoever cancelled it has said. */
  readonly reason: string

  constructor(message: string, reason: string) {
    super(message)
    this.reason = reason
  }
}

/** `signal.reason` of an attempt that outlived the deadline of `stop()`. */
export class ShutdownError extends Error {
  override readonly name = 'ShutdownError'
  readonly code = 'SHUTDOWN'
}

/** Why a signal aborted; `reason.code` tells them apart. */
export type AbortReason = TimeoutError | LeaseLostError | CancelledError | ShutdownError
