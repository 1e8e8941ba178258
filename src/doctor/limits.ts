/** From where on something is found; durations in seconds. */
export interface Limits {
  /** How long a transaction may be at work, and how long it may do nothing. */
  readonly longTransaction: number
  readonly idleTransaction: number
  /** How long a prepared transaction may wait. */
  readonly prepared: number
  /** How many transactions may have begun since the oldest that a slot or a standby still wants to see. */
  readonly heldBack: number
  /** The share of all connections that may be taken. */
  readonly connections: number
  /** How far this machine's clock may be from the server's. */
  readonly clock: number
  /** Milliseconds for a second connection, and for a notification to come back. */
  readonly patience: number
}

export const limits: Limits = {
  longTransaction: 600,
  idleTransaction: 300,
  prepared: 300,
  heldBack: 100_000,
  connections: 0.9,
  clock: 5,
  patience: 5000,
}

/** How long a due job waits before nobody works its table, and an expired lease before nobody rescues it (seconds). */
export const unservedAfter = 600

/** So many rows of a kind are looked at. */
export const lookedAt = 10_000
