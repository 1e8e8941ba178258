// Generated from the database: change the database, not this file, and run
// npx kysely-jobs generate --out <this file>

import type { ColumnType } from 'kysely'

export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>

export type Timestamp = ColumnType<Date, Date | string, Date | string>

export type JobStatus =
  | 'job_status_failed'
  | 'job_status_not_started'
  | 'job_status_retry'
  | 'job_status_running'
  | 'job_status_succeeded'
  | 'job_status_timed_out'

export interface RenderReportJobs {
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  id: Generated<string>
  last_error: string | null
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  status: Generated<JobStatus>
  title: string
  updated_at: Generated<Timestamp>
}

export interface DB {
  render_report_jobs: RenderReportJobs
}
