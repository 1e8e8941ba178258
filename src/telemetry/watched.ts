import type { Keyed } from '../queue/claim.js'
import type { WorkerStats } from '../records/stats.js'
import type { WorkerState } from '../records/worker-state.js'
import type { WorkerHealth } from '../worker/health.js'

/** What is asked of a worker, whatever its table. */
export interface WatchedWorker {
  /** The table as its code writes it. */
  readonly table: string
  stats(): WorkerStats
  health(): WorkerHealth
  describe?(): WorkerState | undefined
  /** By which keys it claims. */
  readonly keyed?: Keyed | undefined
}

/** Whose figures are given: those of a runner's workers, or of some workers. */
export type Watched<Worker = WatchedWorker> = { readonly workers: readonly Worker[] } | readonly Worker[]

/**
 * The workers that were given.
 * @throws TypeError where there are none
 */
export function workersOf<Worker extends { readonly table: string }>(
  watched: Watched<Worker>,
  door: string,
): readonly Worker[] {
  const workers = 'workers' in watched ? watched.workers : watched
  if (Array.isArray(workers) && workers.length > 0) return workers
  throw new TypeError(`${door}: there is no worker; give a runner, or a list of workers, as in ${door}([mail])`)
}
