import { clockTimestamp, later } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import { isSelected } from '../predicates/selected.js'
import { isRunning, statusLiteral } from '../predicates/status.js'
import type { JobId } from '../schema/columns.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import type { JobSelection } from '../schema/selection.js'

export interface RetryOptions<Row> {
  /** How long from now the jobs are due. Default: at once. */
  readonly delay?: Duration | undefined
  /** The optional columns to clear: `started_at`, `finished_at`, `result`. Default: they keep what the last run left. */
  readonly columns?: readonly OptionalColumn<Row>[]
}

/**
 * Lets jobs run again from the beginning: all attempts, no lock, due at once or after a delay. For final jobs and
 * for pending ones (also those that manual SQL left locked); a running job is left to its worker.
 *
 * @returns the ids of the jobs that will run
 * @example await retryJobs(db, 'send_mail_jobs', { where: (eb) => eb('status', '=', 'job_status_failed') }, { delay: '5m' })
 */
export async function retryJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: RetryOptions<DB[Table]> = {},
): Promise<JobId[]> {
  const jobs = jobsOf(db, table)
  const delay = milliseconds(options.delay ?? 0, 'delay')
  const cleared = new Set<string>(options.columns)
  const rows = await jobs.db
    .updateTable(jobs.table)
    .set({
      status: statusLiteral('job_status_not_started'),
      attempts_count: 0,
      locked_at: null,
      locked_by: null,
      run_at: later(clockTimestamp(), delay),
      updated_at: clockTimestamp(),
      ...(cleared.has('started_at') && { started_at: null }),
      ...(cleared.has('finished_at') && { finished_at: null }),
      ...(cleared.has('result') && { result: null }),
    })
    .where(isSelected(selection))
    .where(job.not(isRunning('job')))
    .returning('job.id')
    .execute()
  return rows.map(({ id }) => id)
}
