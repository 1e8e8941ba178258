import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { job } from '../predicates/column.js'
import { hasStatus, isFinal, isPending } from '../predicates/status.js'
import { type FinalStatus, finalStatuses, type JobStatus } from '../schema/statuses.js'

/**
 * What people ask for: each job is in one of them. A pending job is due where its time has come; else it is retrying where it has failed before,
 * and scheduled where not. Any other state is the job's status.
 */
export const shownStates = [
  ...(['running', 'due', 'scheduled', 'retrying'] as const),
  ...(['failed', 'timedOut', 'cancelled', 'succeeded'] as const),
] as const

/** Those of jobs that have ended. */
export const endedStates = shownStates.slice(4)

export type ShownState = (typeof shownStates)[number]

const final: Readonly<Partial<Record<ShownState, FinalStatus>>> = {
  failed: 'job_status_failed',
  timedOut: 'job_status_timed_out',
  cancelled: 'job_status_cancelled',
  succeeded: 'job_status_succeeded',
}

/** The state of a job. */
export function stateOf(status: string, due: boolean): ShownState | undefined {
  if (status === 'job_status_running') return 'running'
  if (status === 'job_status_retry') return due ? 'due' : 'retrying'
  if (status === 'job_status_not_started') return due ? 'due' : 'scheduled'
  return shownStates.find((state) => final[state] === status)
}

/** The final statuses among states, of those that a table can hold; undefined: all of them. */
export function finalOf(states: readonly ShownState[], held: readonly JobStatus[]): readonly FinalStatus[] | undefined {
  const asked = states.flatMap((state) => final[state] ?? [])
  const all = finalStatuses.filter((status) => held.includes(status))
  const chosen = all.filter((status) => asked.includes(status))
  return chosen.length === all.length ? undefined : chosen
}

/** Whether a job is in one of these states. */
export function isInState(states: readonly ShownState[], held: readonly JobStatus[]): RawBuilder<SqlBool> {
  const statuses = finalOf(states, held)
  const ended = statuses === undefined ? isFinal() : hasStatus(statuses)
  const running = states.includes('running') ? [hasStatus(['job_status_running'])] : []
  return sql<SqlBool>`${job.or([...running, isPendingIn(states), ended])}`
}

/** The same of pending jobs alone. */
export function isPendingIn(states: readonly ShownState[]): RawBuilder<SqlBool> {
  const [due, scheduled, retrying] = (['due', 'scheduled', 'retrying'] as const).map((state) => states.includes(state))
  if (due && scheduled && retrying) return sql`${isPending()}`
  const later = [
    ...(scheduled ? [hasStatus(['job_status_not_started'])] : []),
    ...(retrying ? [hasStatus(['job_status_retry'])] : []),
  ]
  const either = [...(due ? [isDue()] : []), job.and([job.not(isDue()), job.or(later)])]
  return sql`${job.and([isPending(), job.or(either)])}`
}
