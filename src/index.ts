export {
  type Backoff,
  type BackoffRule,
  backoffDelay,
  exponential,
  isRetryDue,
  JitterError,
  linear,
} from './predicates/backoff.js'
export { isClaimable, isDue, isUnlocked } from './predicates/claimable.js'
export { holdsLease, isLeaseExpired, type Lease } from './predicates/lease.js'
export { hasStatus, isFinal, isPending, isRunning } from './predicates/status.js'
export { cancelJobs } from './queue/cancel.js'
export { type CountOptions, countJobs, type JobCounts } from './queue/count.js'
export { type EnqueueOptions, enqueue } from './queue/enqueue.js'
export { findExpired } from './queue/expired.js'
export { type FetchOptions, fetchNextJobs } from './queue/fetch.js'
export { heartbeat } from './queue/heartbeat.js'
export { NewJobError } from './queue/new-job.js'
export { nextDueAt } from './queue/next-due.js'
export { notifyWorkers } from './queue/notify.js'
export type { Ending, Outcome } from './queue/outcome.js'
export { type PruneOptions, pruneJobs } from './queue/prune.js'
export { release } from './queue/release.js'
export { type Rescued, type RescueOptions, rescue } from './queue/rescue.js'
export { type RetryOptions, retryJobs } from './queue/retry.js'
export { type SettleOptions, settle } from './queue/settle.js'
export { type JobState, jobStates } from './queue/state.js'
export {
  createRunner,
  type RunnableWorker,
  type Runner,
  RunnerOptionError,
  type RunnerOptions,
} from './runner/runner.js'
export type { JobId } from './schema/columns.js'
export { type Duration, DurationError } from './schema/duration.js'
export { NoSuchTableError } from './schema/identify.js'
export { inspectJobTable, type JobTableDescription, JobTableError } from './schema/inspect.js'
export type { Job, JobTable, JobTableName, NewJob, OptionalColumn, Queryable } from './schema/job-table.js'
export type { JobSelection } from './schema/selection.js'
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
} from './schema/statuses.js'
export { type FetchNextJobOptions, fetchNextJob } from './seed/fetch-next-job.js'
export type { JobWatch, OnJob, PollOptions } from './seed/job-watch.js'
export { type FailureOptions, jobDidFail, jobDidSucceed, jobDidTimeout, type ResultOptions } from './seed/results.js'
export { pollForJob, type WatchOptions, watchForJob } from './seed/watch-for-job.js'
export type { ListenSource } from './watch/listener.js'
export type { ListenerState } from './watch/shared-listener.js'
export { type AbortReason, CancelledError, LeaseLostError, ShutdownError, TimeoutError } from './worker/abort-reason.js'
export { createWorker } from './worker/create-worker.js'
export type { WorkerEvents } from './worker/events.js'
export { guardPool, type PoolBounds } from './worker/guard-pool.js'
export type { Handler, HandlerResult, JobContext, OpenTransaction } from './worker/handler.js'
export type { Logger } from './worker/logger.js'
export { WorkerOptionError, type WorkerOptions } from './worker/options.js'
export { cancel, FatalError, retryIn, snooze, type Verdict } from './worker/verdict.js'
export { Worker, type WorkerHealth } from './worker/worker.js'
