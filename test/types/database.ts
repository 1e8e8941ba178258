import type { ColumnType, Generated } from 'kysely'

/** As kysely-codegen writes it. */
export type Timestamp = ColumnType<Date, Date | string, Date | string>
export type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>

export type Status =
  | 'job_status_not_started'
  | 'job_status_running'
  | 'job_status_failed'
  | 'job_status_timed_out'
  | 'job_status_succeeded'
  | 'job_status_retry'
  | 'job_status_cancelled'

/** The nine columns, as a user's generator writes them. */
export interface Nine {
  id: Generated<string>
  created_at: GeneratedTimestamp
  updated_at: GeneratedTimestamp
  status: Generated<Status>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: GeneratedTimestamp
}

/** A job table with a payload and nothing else. */
export interface MailJobs extends Nine {
  user_id: string
  template: 'welcome' | 'reminder'
  subject: string | null
}

/** A job table with all optional columns, and payloads that narrow. */
export interface ReportJobs extends Nine {
  priority: Generated<number>
  max_attempts: number | null
  result: ColumnType<Result | null, string | null, string | null>
  started_at: Timestamp | null
  finished_at: Timestamp | null
  errors: ColumnType<unknown[] | null, string | null, string | null>
  kind: 'daily' | 'yearly'
  source: { from: 'table'; table: string } | { from: 'file'; path: string; bytes: number }
}

export interface Result {
  pages: number
}

export interface Users {
  id: Generated<string>
  email: string
  created_at: GeneratedTimestamp
}

export interface DB {
  mail_jobs: MailJobs
  report_jobs: ReportJobs
  users: Users
}

/** Holds where both are the very same type. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Does not compile where the type is not `true`. */
export declare function holds<Claim extends true>(): Claim
