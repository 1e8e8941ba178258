import type { ColumnType, Generated } from 'kysely'
import type { JobStatus } from '../schema/statuses.js'

type Timestamp = ColumnType<Date, Date | string | undefined, Date | string>

/** A job of the suite. */
interface SuiteJob {
  id: Generated<string>
  created_at: Timestamp
  updated_at: Timestamp
  run_at: Timestamp
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>
  locked_by: string | null
  priority: Generated<number>
  max_attempts: number | null
  /** By which limits are, and the table is distributed where that is asked for. */
  tenant_id: number
  /** What it is called. */
  label: string
  /** By which jobs are unique. */
  once: string | null
}

/** The database of the suite: one job table, in a schema of its own. */
export interface SuiteDatabase {
  jobs: SuiteJob
}

export const table = 'jobs'
