import { clockTimestamp, later } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import { isRunning, statusLiteral } from '../predicates/status.js'
import type { JobId } from '../schema/columns.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable } from '../schema/inspect.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import type { JobSelection } from '../schema/selection.js'
import { ofSelection } from './selected.js'

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
  const { key } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, key)
  const delay = milliseconds(options.delay ?? 0, 'delay')
  const cleared = new Set<string>(options.columns)
  const { db: locking, isLocked } = ofSelection(jobs, selection)
  const rows = await locking
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
    .where(isLocked)
    .where(job.not(isRunning()))
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}
