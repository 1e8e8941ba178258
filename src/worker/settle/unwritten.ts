import type { Outcome } from '../../queue/outcome.js'
import { type JobState, statesOf } from '../../queue/state.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import type { Entry } from './batch.js'

/** What became of an attempt whose outcome was not written: it ended before, or its row is only locked by somebody. */
export type UnwrittenOutcome = Outcome | 'locked'

/**
 * Of outcomes that were not written: those whose row still is this attempt's, and those whose row ended by it before
 * (the reply to an earlier try was cut off, or the handler completed its job in a transaction and threw afterwards).
 * The others have lost their lease.
 */
export async function unwrittenOutcomes<Unwritten extends Entry>(
  scope: WorkerScope,
  entries: readonly Unwritten[],
): Promise<Map<Unwritten, UnwrittenOutcome>> {
  if (entries.length === 0) return new Map()
  const { jobs, settings, finished } = scope
  const look = (db: typeof jobs.db) => statesOf({ ...jobs, db }, entries, finished.archive)
  const states = await ask(jobs.db, settings.lease / 6, 'job states', look)
  const known = new Map<Unwritten, UnwrittenOutcome>()
  for (const entry of entries) {
    const found = outcomeOfUnwritten(scope, entry, states.get(entry))
    if (found !== undefined) known.set(entry, found)
  }
  return known
}

function outcomeOfUnwritten(
  scope: WorkerScope,
  entry: Entry,
  state: JobState | undefined,
): UnwrittenOutcome | undefined {
  if (state === undefined) return mayHaveDeleted(scope, entry) ? success(entry) : undefined
  if (state.attempt !== entry.attempt) return undefined
  if (state.worker === scope.worker) return 'locked'
  // What a transaction held and never tried to commit, another has done under the same attempt's number.
  const isOthers = entry.of.wasHeld && !entry.of.wasTried && !entry.of.completed
  return isOthers ? undefined : outcomeOfState(entry, state)
}

/**
 * Whether a row that is gone is this attempt's own success: deleted in its handler's transaction, or by a try whose reply
 * was cut off. Only while its lease lives: later another worker may have taken, ended and deleted it.
 */
function mayHaveDeleted({ settings }: WorkerScope, { of: attempt }: Entry): boolean {
  const isHeld = performance.now() - attempt.renewedAt < settings.lease
  return settings.succeeded === 'delete' && isHeld && (attempt.completed || attempt.wasTried)
}

function success(entry: Entry): Outcome | undefined {
  return entry.of.completed ? { kind: 'succeeded' } : entry.kind === 'succeeded' ? entry : undefined
}

function outcomeOfState(entry: Entry, { status, lastError }: JobState): Outcome | undefined {
  if (status === 'job_status_succeeded') return success(entry)
  // A rescue leaves the same status, with an error of its own.
  return 'error' in entry && status === `job_status_${entry.kind}` && lastError === entry.error ? entry : undefined
}
