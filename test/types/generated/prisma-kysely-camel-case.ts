// Made by prisma-kysely 3.2.1 (prisma 7.10.1) with camelCase = true from a Prisma schema of such tables; formatted, else unchanged.

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
  createdAt: Generated<Timestamp>
  updatedAt: Generated<Timestamp>
  status: Generated<job_status>
  lastError: string | null
  attemptsCount: Generated<number>
  lockedAt: Timestamp | null
  lockedBy: string | null
  runAt: Generated<Timestamp>
  userId: string
  template: string
  subject: string | null
}
export type report_jobs = {
  id: Generated<string>
  createdAt: Generated<Timestamp>
  updatedAt: Generated<Timestamp>
  status: Generated<string>
  lastError: string | null
  attemptsCount: Generated<number>
  lockedAt: Timestamp | null
  lockedBy: string | null
  runAt: Generated<Timestamp>
  priority: Generated<number>
  maxAttempts: number | null
  result: unknown | null
  startedAt: Timestamp | null
  finishedAt: Timestamp | null
  errors: unknown | null
  kind: string
}
export type users = {
  id: Generated<string>
  email: string
}
export type DB = {
  mailJobs: mail_jobs
  reportJobs: report_jobs
  users: users
}
