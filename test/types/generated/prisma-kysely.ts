// Made by prisma-kysely 3.2.1 (prisma 7.10.1) from a Prisma schema of such tables; formatted, else unchanged.

import type { ColumnType } from 'kysely'
export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>
export type Timestamp = ColumnType<Date, Date | string, Date | string>

export const job_status = {
  job_status_not_started: 'job_status_not_started',
  job_status_running: 'job_status_running',
  job_status_failed: 'job_status_failed',
  job_status_timed_out: 'job_status_timed_out',
  job_status_succeeded: 'job_status_succeeded',
  job_status_retry: 'job_status_retry',
  job_status_cancelled: 'job_status_cancelled',
} as const
export type job_status = (typeof job_status)[keyof typeof job_status]
export type mail_jobs = {
  id: Generated<string>
  created_at: Generated<Timestamp>
  updated_at: Generated<Timestamp>
  status: Generated<job_status>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  user_id: string
  template: string
  subject: string | null
}
export type report_jobs = {
  id: Generated<string>
  created_at: Generated<Timestamp>
  updated_at: Generated<Timestamp>
  status: Generated<string>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  priority: Generated<number>
  max_attempts: number | null
  result: unknown | null
  started_at: Timestamp | null
  finished_at: Timestamp | null
  errors: unknown | null
  kind: string
}
export type users = {
  id: Generated<string>
  email: string
}
export type DB = {
  mail_jobs: mail_jobs
  report_jobs: report_jobs
  users: users
}
