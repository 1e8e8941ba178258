import { hasIdIn } from '../predicates/ids.js'
import type { JobId } from '../schema/columns.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import type { JobStatus } from '../schema/statuses.js'

/** Where a job stands. */
export interface JobState {
  readonly id: JobId
  readonly status: JobStatus
  readonly lastError: string | null
  /** The worker that holds it, and by which attempt. */
  readonly worker: string | null
  readonly attempt: number
}

/**
 * Where jobs stand now; those that are gone are left out.
 * @example const [state] = await jobStates(db, 'send_mail_jobs', [job.id]) // state?.status
 */
export async function jobStates<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  ids: readonly JobId[],
): Promise<JobState[]> {
  const jobs = jobsOf(db, table)
  const rows = await jobs.db
    .selectFrom(jobs.table)
    .select([
      'job.id',
      'job.status',
      'job.last_error as error',
      'job.locked_by as worker',
      'job.attempts_count as attempt',
    ])
    .where(hasIdIn(ids, 'job'))
    .execute()
  return rows.map(({ error, attempt, ...state }) => ({ ...state, attempt: Number(attempt), lastError: error }))
}
