import type { Ending, Outcome } from '../queue/outcome.js'
import { type JobState, jobStates } from '../queue/state.js'
import { withDeadline } from '../watch/deadline.js'
import type { Attempt } from './attempt.js'
import type { WorkerScope } from './scope.js'

/**
 * Of outcomes that found their lease gone: those whose row ended by that very attempt. The reply to an earlier try was
 * cut off, or the handler had completed its job in a transaction and threw afterwards. Each with how it ended.
 */
export async function endedBefore<Entry extends Outcome & { readonly of: Attempt }>(
  { jobs, settings }: WorkerScope,
  entries: readonly Entry[],
): Promise<Map<Entry, Ending>> {
  if (entries.length === 0) return new Map()
  const ids = entries.map(({ id }) => id)
  const states = await withDeadline(jobStates(jobs.db, jobs.name, ids), settings.lease / 6, 'job states')
  const stateOf = new Map(states.map((state) => [String(state.id), state]))
  const endings = new Map<Entry, Ending>()
  for (const entry of entries) {
    const state = stateOf.get(String(entry.id))
    const ending = state?.attempt === entry.attempt ? endingOf(entry, state) : undefined
    if (ending !== undefined) endings.set(entry, ending)
  }
  return endings
}

function endingOf(entry: Outcome & { readonly of: Attempt }, { status, lastError }: JobState): Ending | undefined {
  if (status === 'job_status_succeeded') {
    return entry.of.completed ? { kind: 'succeeded' } : entry.kind === 'succeeded' ? entry : undefined
  }
  // A rescue leaves the same status, with an error of its own.
  return 'error' in entry && status === `job_status_${entry.kind}` && lastError === entry.error ? entry : undefined
}
