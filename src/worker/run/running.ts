import type { Run } from './run.js'

/** How many handlers were called and have not ended. */
export function busyAmong(runs: Iterable<Run>): number {
  return [...runs].filter(hasBegun).length
}

/**
 * How many handlers go on though their signal was aborted so long ago (milliseconds): by their timeout, a lost lease or a cancel. Their
 * slots are taken, maybe for ever.
 */
export function stuckAmong(runs: Iterable<Run>, since: number): number {
  const before = performance.now() - since
  const isStuck = ({ attempts }: Run) =>
    attempts.every(({ abortedAt = Number.POSITIVE_INFINITY }) => abortedAt < before)
  return [...runs].filter((run) => hasBegun(run) && isStuck(run)).length
}

function hasBegun({ attempts }: Run): boolean {
  return attempts.some(({ begunAt }) => begunAt !== undefined)
}
