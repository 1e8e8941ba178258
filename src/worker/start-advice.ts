import { isBackoffRule } from '../predicates/backoff.js'
import type { JobTableDescription } from '../schema/inspect.js'

/** A duration below so many milliseconds is likely to be meant in seconds. */
const suspiciouslyShort = 100

/** The options that may be other than they were meant; others have checked them. */
interface GivenOptions {
  readonly timeout?: unknown
  readonly pollInterval?: unknown
  readonly backoff?: unknown
  readonly listen?: unknown
}

/** What is suspicious about options that were given, a sentence each. */
export function adviceOnOptions(options: GivenOptions): string[] {
  const { timeout, pollInterval, backoff } = options
  const delay = isBackoffRule(backoff) ? backoff.delay : undefined
  const times = Object.entries({ timeout, pollInterval, 'backoff delay': delay })
  const isShort = (time: unknown): time is number => typeof time === 'number' && time > 0 && time < suspiciouslyShort
  return [
    ...times.flatMap(([name, time]) =>
      isShort(time) ? [`${name}: ${time} is ${time} milliseconds; if seconds are meant, give '${time}s'`] : [],
    ),
    ...('listen' in options && options.listen === undefined
      ? [
          'listen: undefined was given, so new jobs are found by polling only; is the variable set? Leave listen out if that is meant',
        ]
      : []),
  ]
}

/** What a table lacks of what its worker relies on, a sentence each. */
export function adviceOnTable({ advice }: JobTableDescription, { listen }: GivenOptions): string[] {
  return listen === undefined ? [] : advice.filter((sentence) => /createJobTriggers|notifyWorkers/.test(sentence))
}

/** What a worker needs connections for. */
interface PoolUse {
  readonly concurrency: number
  readonly hold: 'lease' | 'transaction'
  /** Its handler takes batches. */
  readonly batch?: object | undefined
}

/** What is dangerous about the pool, a sentence each. @param connections the most that it may have; undefined: it is not guarded */
export function adviceOnPool({ concurrency, hold, batch }: PoolUse, connections?: number): string[] {
  if (connections === undefined) {
    return [
      'the pool is not guarded, so a connection that is cut can end the process: wrap it, guardPool(new pg.Pool(...))',
    ]
  }
  if (hold === 'transaction' && batch !== undefined && connections < concurrency + 3) {
    return [
      `concurrency: ${concurrency} batches at once have a connection each, of ${connections}: give the pool more (max: ${concurrency + 4}), for the claim ahead and what the worker itself says`,
    ]
  }
  if (hold === 'transaction' && connections < 3) {
    return [
      `hold: a pool of ${connections} connections has none for a transaction that holds jobs, so leases do: give it at least 3`,
    ]
  }
  if (concurrency <= connections) return []
  return [
    `concurrency: ${concurrency} handlers share ${connections} connections, so where they query they wait for each other: give the pool more (max: ${concurrency + 3}), or take a lower concurrency`,
  ]
}
