import type { LeasedOutcome } from '../queue/outcome.js'
import type { Settings } from './options.js'
import type { Attempt } from './run/attempt.js'

/** Sees a worker's work from within, as spans need it. It must not throw. A worker without one pays nothing for it. */
export interface WorkerObserver {
  /**
   * Calls the handler of these attempts, in its async context, and returns what that returned, or throws what it threw.
   * @param describe an error's text, as the worker's options want it to be told
   */
  handle<Returned>(attempts: readonly Attempt[], call: () => Returned, describe: Settings['describeError']): Returned
  /**
   * Outcomes were written by one statement, which was sent then (monotonic milliseconds); or they were not, as it failed.
   * @param outcomes those of attempts have them as `of`
   */
  settled(outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[], sent: number, error?: unknown): void
  /** The same of what a handler wrote within a transaction of its own: called in its async context. */
  completed(outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[], sent: number, error?: unknown): void
}

/** A statement that writes outcomes, seen by an observer where there is one. */
export function seenBy<Db, Written>(
  observer: WorkerObserver | undefined,
  write: (db: Db, outcomes: readonly LeasedOutcome[]) => Promise<Written>,
  by: 'settled' | 'completed' = 'settled',
): (db: Db, outcomes: readonly LeasedOutcome[]) => Promise<Written> {
  if (observer === undefined) return write
  return async (db, outcomes) => {
    if (outcomes.length === 0) return write(db, outcomes)
    const sent = performance.now()
    try {
      const written = await write(db, outcomes)
      observer[by](outcomes, sent)
      return written
    } catch (error) {
      observer[by](outcomes, sent, error)
      throw error
    }
  }
}
