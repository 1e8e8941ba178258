import type { JobHold } from '../hold/job-hold.js'

/** Jobs that were claimed, and what holds them where that is no lease. */
export interface Claimed {
  readonly rows: readonly object[]
  readonly hold?: JobHold
  /** Of a claim that goes from key to key. */
  readonly left?: LeftBehind
}

/** What a fetch by keys has left. */
export interface LeftBehind {
  /** Another fetch may bring more, at once. */
  readonly isMore: boolean
  /** Jobs are due that may not begin before others end. */
  readonly isBlocked: boolean
  /** Milliseconds until the next job is due. */
  readonly due: number | undefined
}
