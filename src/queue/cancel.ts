import { clockTimestamp } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import { isPending, isRunning, statusLiteral } from '../predicates/status.js'
import type { JobId } from '../schema/columns.js'
import { inspectJobTable } from '../schema/inspect.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import type { JobSelection } from '../schema/selection.js'
import { tellWorkers } from './notify.js'
import { ofSelection } from './selected.js'

/**
 * Ends jobs on purpose, pending and running ones. A running job's lease is taken with it: its handler's signal
 * aborts when its worker looks (a notification makes it look at once), and whatever it still does is fenced off.
 * In a table with the seed's six statuses the job becomes failed; `last_error` reads "Cancelled: ..." in both.
 *
 * @returns the ids of the jobs that were cancelled; final ones are left alone.
 * @example await cancelJobs(db, 'send_mail_jobs', { where: (eb) => eb('user_id', '=', user.id) }, { reason: 'user deleted' })
 */
export async function cancelJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: { readonly reason?: string } = {},
): Promise<JobId[]> {
  const { table: name, holdsCancelled, columns, key } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, key)
  const status = holdsCancelled ? 'job_status_cancelled' : 'job_status_failed'
  const { db: locking, isLocked } = ofSelection(jobs, selection)
  const rows = await locking
    .updateTable(jobs.table)
    .set({
      status: statusLiteral(status),
      locked_by: null,
      updated_at: clockTimestamp(),
      ...(columns.has('finished_at') && { finished_at: clockTimestamp() }),
      last_error: `Cancelled: ${options.reason ?? 'on request'}`,
    })
    .where(isLocked)
    .where(job.or([isPending(), isRunning()]))
    .returning('id')
    .execute()
  if (rows.length > 0) await tellWorkers(jobs, name, { kind: 'check leases' })
  return rows.map(({ id }) => id)
}
