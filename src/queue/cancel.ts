import { clockTimestamp } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { isPending, isRunning, statusLiteral } from '../predicates/status.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import type { JobSelection } from '../schema/selection.js'
import { type ChangedJobs, undoable, writeInChunks } from './chunks.js'
import { tellWorkers } from './notify.js'

/** What a worker reads on its channel when a running job was taken from it. */
export const checkLeases = 'check'

/**
 * Ends jobs on purpose, pending and running ones. A running job's lease is taken with it: its handler's signal
 * aborts when its worker looks (a notification makes it look at once), and whatever it still does is fenced off.
 * In a table with the seed's six statuses the job becomes failed; `last_error` reads "Cancelled: ..." in both.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that the table refuses (a trigger, a CHECK) keeps its state and stops no other.
 *
 * @returns the ids of the jobs that were cancelled (final ones are left alone), and as `refused` those that were not let
 * @throws whatever concerns all jobs (no connection, no privilege, a timeout): chunks before it are written
 * @example
 * await cancelJobs(db, 'mail_jobs', { where: (job) => job('user_id', '=', id) }, { reason: 'the user left' })
 */
export async function cancelJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: { readonly reason?: string } = {},
): Promise<ChangedJobs> {
  const jobs = jobsOf(db, table)
  const { table: name, holdsCancelled, columns } = await inspectJobTable(db, table)
  const status = holdsCancelled ? 'job_status_cancelled' : 'job_status_failed'
  return writeInChunks(jobs, selection, job.or([isPending('job'), isRunning('job')]), async (rows) => {
    const cancelled = await jobs.db
      .updateTable(jobs.table)
      .set({
        status: statusLiteral(status),
        locked_by: null,
        updated_at: clockTimestamp(),
        ...(columns.has('finished_at') && { finished_at: clockTimestamp() }),
        last_error: `Cancelled: ${options.reason ?? 'on request'}`,
      })
      .where(rows)
      .returning(['job.id', wasRunning(jobs)])
      .execute()
    if (cancelled.some(({ running }) => running === 'true')) {
      // Else their next heartbeat tells them: the jobs are cancelled, whatever becomes of the notification.
      await undoable(jobs, () => tellWorkers(jobs, name, checkLeases)).catch(() => {})
    }
    return cancelled.map(({ id }) => id)
  })
}

/** What RETURNING selects for itself is as the statement found it. Exists, as an id may be that of more than one row. */
function wasRunning(jobs: Jobs) {
  const before = jobs.db
    .selectFrom(jobs.db.dynamic.table(jobs.name).as('kysely_jobs_before'))
    .where(job(column('id', 'kysely_jobs_before'), '=', column('id', 'job')))
    .where(isRunning('kysely_jobs_before'))
  return job.cast<string>(job.exists(before), 'text').as('running')
}
