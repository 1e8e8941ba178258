// Generated from the database: change the database, not this file, and run
// npx kysely-jobs generate --out <this file>

import type { ColumnType } from 'kysely'

export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>

export type Int8 = ColumnType<string, string | number | bigint, string | number | bigint>

/** An array or a text is written as its JSON: `JSON.stringify(value)`. */
export type Json = ColumnType<JsonValue, JsonInput, JsonInput>

export type JsonArray = JsonValue[]

export type JsonInput = JsonObject | boolean | number | string

export type JsonObject = {
  [x: string]: JsonValue | undefined
}

export type JsonPrimitive = boolean | null | number | string

export type JsonValue = JsonArray | JsonObject | JsonPrimitive

export type Timestamp = ColumnType<Date, Date | string, Date | string>

export type JobStatus =
  | 'job_status_cancelled'
  | 'job_status_failed'
  | 'job_status_not_started'
  | 'job_status_retry'
  | 'job_status_running'
  | 'job_status_succeeded'
  | 'job_status_timed_out'

export interface Accounts {
  balance: number
  owner: string
}

export interface FileJobs {
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  errors: Json | null
  id: Generated<string>
  last_error: string | null
  lines: Int8 | null
  locked_at: Timestamp | null
  locked_by: string | null
  path: string
  run_at: Generated<Timestamp>
  sha256: string | null
  size: Int8 | null
  status: Generated<JobStatus>
  updated_at: Generated<Timestamp>
}

export interface MailJobs {
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  id: Generated<string>
  last_error: string | null
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  status: Generated<JobStatus>
  to: string
  updated_at: Generated<Timestamp>
}

export interface SendMailJobs {
  address: string
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  id: Generated<string>
  last_error: string | null
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  status: Generated<JobStatus>
  subject: string
  updated_at: Generated<Timestamp>
}

export interface Sent {
  attempt: number
  job_id: string
}

export interface TransferJobs {
  amount: number
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  id: Generated<string>
  last_error: string | null
  locked_at: Timestamp | null
  locked_by: string | null
  payee: string
  payer: string
  run_at: Generated<Timestamp>
  status: Generated<JobStatus>
  updated_at: Generated<Timestamp>
}

export interface Users {
  email: string
  id: Generated<string>
}

export interface WelcomeJobs {
  attempts_count: Generated<number>
  created_at: Generated<Timestamp>
  id: Generated<string>
  last_error: string | null
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  status: Generated<JobStatus>
  updated_at: Generated<Timestamp>
  user_id: string
}

export interface DB {
  accounts: Accounts
  file_jobs: FileJobs
  mail_jobs: MailJobs
  send_mail_jobs: SendMailJobs
  sent: Sent
  transfer_jobs: TransferJobs
  users: Users
  welcome_jobs: WelcomeJobs
}
