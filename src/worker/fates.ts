import type { Ending, Outcome } from '../queue/outcome.js'
import { type JobState, jobStates } from '../queue/state.js'
import { ask } from './ask.js'
import type { Attempt } from './attempt.js'
import type { WorkerScope } from './scope.js'

/** What became of an attempt whose outcome was not written: it ended before, or its row is only locked by somebody. */
export type Fate = Ending | 'locked'

type Entry = Outcome & { readonly of: Attempt }

/**
 * Of outcomes that were not written: those whose row still is this attempt's, and those whose row ended by it before
 * (the reply to an earlier try was cut off, or the handler completed its job in a transaction and threw afterwards).
 * The others have lost their lease.
 */
export async function fatesOf<Unwritten extends Entry>(
  scope: WorkerScope,
  entries: readonly Unwritten[],
): Promise<Map<Unwritten, Fate>> {
  if (entries.length === 0) return new Map()
  const { jobs, settings } = scope
  const ids = entries.map(({ id }) => id)
  const states = await ask(jobs.db, settings.lease / 6, 'job states', (db) => jobStates(db, jobs.name, ids))
  const stateOf = new Map(states.map((state) => [String(state.id), state]))
  const fates = new Map<Unwritten, Fate>()
  for (const entry of entries) {
    const state = stateOf.get(String(entry.id))
    if (state?.attempt !== entry.attempt) continue
    const fate = state.worker === scope.worker ? 'locked' : endingOf(entry, state)
    if (fate !== undefined) fates.set(entry, fate)
  }
  return fates
}

function endingOf(entry: Entry, { status, lastError }: JobState): Ending | undefined {
  if (status === 'job_status_succeeded') {
    return entry.of.completed ? { kind: 'succeeded' } : entry.kind === 'succeeded' ? entry : undefined
  }
  // A rescue leaves the same status, with an error of its own.
  return 'error' in entry && status === `job_status_${entry.kind}` && lastError === entry.error ? entry : undefined
}
