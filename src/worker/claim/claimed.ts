import type { JobHold } from '../hold/job-hold.js'
import type { LeftBehind } from './left-behind.js'

/** Jobs that were claimed, and what holds them where that is no lease. */
export interface Claimed {
  readonly rows: readonly object[]
  readonly hold?: JobHold
  /** Of a claim that goes from key to key. */
  readonly left?: LeftBehind
}
