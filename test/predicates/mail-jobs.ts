import type { Generated } from 'kysely'
import type { JobStatus } from 'kysely-jobs'

/** A database as its users type it: a job table, a second one, and a table that is none. */
export interface Database {
  mail_jobs: JobRow & { user_id: number | null }
  report_jobs: JobRow
  users: { id: number; run_at: Date | null; status: string }
}

export interface JobRow {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
}

export const someone = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'
export const another = '0b6f4c8e-3d2a-4b53-8f3c-2f8a1d9e7c11'
