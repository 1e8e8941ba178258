import { type Duration, milliseconds } from '../schema/duration.js'

/** So much longer than an attempt may run its worker is given to end it itself. */
const grace = 1_000

/** The seed's timeoutCondition: after so many milliseconds without a heartbeat a running job's worker is gone. */
export function abandonedAfter(timeout: Duration): number {
  return milliseconds(timeout, 'timeout') + grace
}
