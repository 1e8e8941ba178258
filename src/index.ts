export type { HealthCheck, HealthChecks } from './health/checks.js'
export { type HealthOptions, type HealthReport, healthHandler } from './health/health-handler.js'
export { guardPool, type PoolBounds } from './pg/guard-pool.js'
export { type Backoff, type BackoffRule, exponential, JitterError, linear } from './predicates/backoff.js'
export type { JobSelection } from './predicates/selected.js'
export { ArchiveError, archiveJobs } from './queue/archive.js'
export { BulkOptionError, type BulkOptions, type BulkProgress, type BulkResult } from './queue/bulk-options.js'
export { type CancelOptions, cancelJobs } from './queue/cancel.js'
export type { ChangedJobs, RefusedJob } from './queue/changed-jobs.js'
export { type CountOptions, countJobs, type JobCounts } from './queue/count.js'
export { type DeleteOptions, deleteJobs } from './queue/delete.js'
export { type Enqueued, enqueue } from './queue/enqueue.js'
export { JobKeyError } from './queue/key-given.js'
export { type KeptLimit, LimitError, type LimitOptions, limitJobs, listLimits } from './queue/limit-jobs.js'
export { NewJobError } from './queue/new-job.js'
export { listPauses, PauseOptionError, type PauseOptions, pauseJobs, resumeJobs } from './queue/pause.js'
export type { PausedKey } from './queue/paused-keys.js'
export type { Pause } from './queue/pauses.js'
export { type PruneOptions, pruneJobs } from './queue/prune.js'
export { type RescheduleOptions, rescheduleJobs } from './queue/reschedule.js'
export { type RetryOptions, retryJobs } from './queue/retry.js'
export { HiddenJobError, JobExistsError, NoUniqueIndexError } from './queue/unique-errors.js'
export { EnqueueOptionError, type EnqueueOptions, type OnConflict, type UniqueOptions } from './queue/unique-options.js'
export { type Histogram, histogramBounds, quantile } from './records/histogram.js'
export {
  HistoryOptionError,
  type HistoryOptions,
  type HistoryPoint,
  jobHistory,
  type Quantiles,
} from './records/history.js'
export type { HistoryStep } from './records/history-table.js'
export { listRunners, type RunnerState } from './records/runners.js'
export type { WorkerStats } from './records/stats.js'
export type { WorkerState } from './records/worker-state.js'
export { createRunner, type Runner } from './runner/runner.js'
export type { RunnerEvent, ScheduledEvent } from './runner/runner-events.js'
export { type RunnableWorker, RunnerOptionError, type RunnerOptions } from './runner/runner-options.js'
export {
  addSchedule,
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleState,
  triggerSchedule,
} from './schedule/by-hand.js'
export { type Recurrence, ScheduleError } from './schedule/recurrence.js'
export {
  type KeptScheduleOptions,
  type Schedule,
  type ScheduledJob,
  type ScheduleOptions,
  schedule,
} from './schedule/schedule.js'
export { CatalogError } from './schema/catalog-error.js'
export { type Duration, DurationError } from './schema/duration.js'
export type { Engine, EngineOptions } from './schema/engines/engine.js'
export { EngineError } from './schema/engines/recognize.js'
export { NoSuchTableError } from './schema/identify.js'
export { JobTableError } from './schema/inspect.js'
export type {
  Job,
  JobTable,
  JobTableName,
  NewJob,
  OptionalColumn,
  Queryable,
  ReadonlyQueryable,
  SelectedJob,
  Selection,
} from './schema/job-table.js'
export { SideTableError } from './schema/side-table.js'
export type { FinalStatus, JobStatus } from './schema/statuses.js'
export type { ListenSource } from './watch/listener.js'
export type { ListenerState } from './watch/shared-listener.js'
export type {
  BatchContext,
  BatchContextOf,
  BatchHandler,
  BatchResult,
  BatchTransactionContext,
  JobOutcome,
} from './worker/batch/batch-handler.js'
export type { BatchWorkerOptions } from './worker/batch/batch-options.js'
export { createBatchWorker } from './worker/batch/create-batch-worker.js'
export type { ClaimOptions } from './worker/claim-options.js'
export { createWorker } from './worker/create-worker.js'
export type { WorkerEvents } from './worker/events.js'
export type { WorkerHealth } from './worker/health.js'
export type { Logger } from './worker/logger.js'
export { WorkerOptionError } from './worker/option-values.js'
export type { WorkerOptions } from './worker/options.js'
export {
  type AbortReason,
  CancelledError,
  LeaseLostError,
  ShutdownError,
  TimeoutError,
} from './worker/run/abort-reason.js'
export type { Handler, HandlerResult, JobContext, OpenTransaction } from './worker/run/handler.js'
export { cancel, FatalError, type HandlerOutcome, retryIn, snooze } from './worker/run/handler-outcome.js'
export type { Worker } from './worker/worker.js'
