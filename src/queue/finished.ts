import type { JobArchive } from '../schema/archive.js'
import type { Outcome } from './outcome.js'

/** What becomes of the rows of jobs that have ended. */
export interface FinishedRows {
  /** Of those that succeeded: kept in the table, deleted, or moved to its archive. Default: as `finished` says. */
  readonly succeeded?: 'keep' | 'delete' | 'archive' | undefined
  /** Of all that have ended: kept in the table, or moved to its archive. Default `keep`. */
  readonly finished?: 'keep' | 'archive' | undefined
  /** The table's archive, as `inspectJobTable` tells it; without one, a worker keeps what was to go there. */
  readonly archive?: JobArchive | undefined
}

/** What becomes of a row: it stays, is deleted, or goes to an archive. */
export type Fate = 'keep' | 'delete' | JobArchive

/** What becomes of the row of a job that ended so. */
export function fateOf(kind: Outcome['kind'], { succeeded, finished = 'keep', archive }: FinishedRows): Fate {
  const fate = kind === 'succeeded' ? (succeeded ?? finished) : isFinal.has(kind) ? finished : 'keep'
  return fate === 'archive' ? (archive ?? 'keep') : fate
}

const isFinal: ReadonlySet<Outcome['kind']> = new Set(['failed', 'timed_out', 'cancelled'])
