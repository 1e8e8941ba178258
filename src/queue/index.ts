export { backoffDelay, isRetryDue } from '../predicates/backoff.js'
export { isClaimable, isDue, isUnlocked } from '../predicates/claimable.js'
export { holdsLease, isLeaseExpired, type Lease } from '../predicates/lease.js'
export { hasStatus, isFinal, isPending, isRunning } from '../predicates/status.js'
export type { JobId } from '../schema/columns.js'
export type { JobTableDescription } from '../schema/inspect.js'
export { leaseOf } from '../schema/row.js'
export {
  type FinalStatus,
  finalStatuses,
  isJobStatus,
  type JobStatus,
  JobStatusError,
  jobStatuses,
  jobStatusLabels,
  jobStatusMoves,
  parseJobStatus,
  pendingStatuses,
} from '../schema/statuses.js'
export { findExpired } from './expired.js'
export { type FetchOptions, fetchNextJobs } from './fetch.js'
export { heartbeat } from './heartbeat.js'
export { inspectJobTable } from './inspect-claim.js'
export { nextDueAt } from './next-due.js'
export { notifyWorkers } from './notify.js'
export type { LeasedOutcome, Outcome } from './outcome.js'
export { release } from './release.js'
export { type Rescued, type RescueOptions, rescue } from './rescue.js'
export { type SettleOptions, settle } from './settle.js'
export { type JobState, jobStates } from './state.js'
