import { type Duration, milliseconds } from '../schema/duration.js'

/** Milliseconds after its timeout in which a worker can still end an attempt itself. */
const grace = 1_000

/** The seed's timeoutCondition: the worker of a running job is gone after so many milliseconds without a heartbeat. */
export function abandonedAfter(timeout: Duration): number {
  return milliseconds(timeout, 'timeout') + grace
}
