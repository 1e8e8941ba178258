import { shown } from './shown.js'

/**
 * The life of a job, as data: the one tuple below is the source of the type, the DDL, the parser,
 * the labels and the table of allowed moves. Six names come from the seed; `cancelled` is ours, and a
 * table that lacks it gets `failed` with a `last_error` of "Cancelled: ..." instead.
 *
 * - not_started: inserted, waits for `run_at`. Left by a claim or a cancel.
 * - running: leased by `locked_by`. Left by a settle, a release, a rescue or a cancel.
 * - retry: an attempt ended without success (or was snoozed, released, rescued); waits for `run_at`.
 * - succeeded, failed, timed_out, cancelled: final. Left by an explicit `retryJobs`, or pruned.
 */
export const jobStatuses = [
  'job_status_not_started',
  'job_status_running',
  'job_status_failed',
  'job_status_timed_out',
  'job_status_succeeded',
  'job_status_retry',
  'job_status_cancelled',
] as const

/** The status of a job: one of the seven names in {@link jobStatuses}. */
export type JobStatus = (typeof jobStatuses)[number]

/** The six statuses a job table must be able to hold: those of the seed. */
export type SeedJobStatus = Exclude<JobStatus, 'job_status_cancelled'>

/** Statuses that wait for a claim. */
export const pendingStatuses = ['job_status_not_started', 'job_status_retry'] as const satisfies readonly JobStatus[]

/** Those of jobs that have not ended. */
export const unfinishedStatuses = [...pendingStatuses, 'job_status_running'] as const satisfies readonly JobStatus[]

/** Statuses no worker leaves by itself. */
export const finalStatuses = [
  'job_status_succeeded',
  'job_status_failed',
  'job_status_timed_out',
  'job_status_cancelled',
] as const satisfies readonly JobStatus[]

/** A status that no worker leaves by itself. */
export type FinalStatus = (typeof finalStatuses)[number]

/** What people read in place of the column's value. */
export const jobStatusLabels: Readonly<Record<JobStatus, string>> = {
  job_status_not_started: 'Not started',
  job_status_running: 'Running',
  job_status_failed: 'Failed',
  job_status_timed_out: 'Timed out',
  job_status_succeeded: 'Succeeded',
  job_status_retry: 'Retry',
  job_status_cancelled: 'Cancelled',
}

/** From each status, the statuses that a queue verb may write next; `failed` for `cancelled` where a table lacks that. */
export const jobStatusMoves: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  job_status_not_started: ['job_status_running', 'job_status_cancelled'],
  job_status_running: [...pendingStatuses, ...finalStatuses],
  job_status_retry: ['job_status_running', 'job_status_cancelled', 'job_status_not_started'],
  job_status_succeeded: ['job_status_not_started'],
  job_status_failed: ['job_status_not_started'],
  job_status_timed_out: ['job_status_not_started'],
  job_status_cancelled: ['job_status_not_started'],
}

const known: ReadonlySet<unknown> = new Set(jobStatuses)

/**
 * Whether a value is one of the seven status names; exact and case-sensitive.
 * @example isJobStatus('job_status_retry') // true
 */
export function isJobStatus(value: unknown): value is JobStatus {
  return known.has(value)
}

/** A value that is no job status. `code` tells a null (`UNEXPECTED_NULL`) from an unknown value (`UNKNOWN_STATUS`). */
export class JobStatusError extends TypeError {
  override readonly name = 'JobStatusError'
  readonly code: 'UNKNOWN_STATUS' | 'UNEXPECTED_NULL'

  constructor(code: JobStatusError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Reads a status from a database value, a form or a URL.
 * @throws JobStatusError naming the value; null and undefined have a message (and a code) of their own.
 * @example parseJobStatus('job_status_retry')
 */
export function parseJobStatus(value: unknown): JobStatus {
  if (isJobStatus(value)) return value
  if (value === null || value === undefined) {
    throw new JobStatusError('UNEXPECTED_NULL', `Unexpected ${value} for a job status: the column must be NOT NULL`)
  }
  throw new JobStatusError(
    'UNKNOWN_STATUS',
    `Unexpected value for a job status: ${shown(value)}. Known values: ${jobStatuses.join(', ')}`,
  )
}
