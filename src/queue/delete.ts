import { job } from '../predicates/column.js'
import { isSelected, type JobSelection } from '../predicates/selected.js'
import { isFinal, isRunning } from '../predicates/status.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { archivedJobs } from './archive.js'
import { inBulk } from './bulk.js'
import { type BulkOptions, type BulkResult, checkBulkOptions } from './bulk-options.js'
import { type BulkWrite, undoable } from './chunks.js'
import { tellWorkers } from './notify.js'

/** What `deleteJobs` takes. */
export interface DeleteOptions<DryRun extends boolean = false> extends BulkOptions<DryRun> {}

/**
 * Deletes jobs for good: pending ones and final ones, also those in the table's archive, as whoever deletes all jobs of a
 * person means these too. A running job is left to its worker, as its handler would go on: `cancelJobs` ends it first.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that another table holds fast (a foreign key without `on delete`), or a trigger, stays and stops no other.
 *
 * @returns the ids of the jobs that were deleted, and as `refused` those that were not let, each with its error; with
 * `dryRun: true` the number of the jobs that match
 * @throws BulkOptionError, TypeError before anything is written; whatever concerns all jobs (no connection, no privilege, a
 * timeout): chunks before it are written
 * @example
 * const mine = { where: (job) => job('user_id', '=', id) } satisfies JobSelection<DB['mail_jobs']>
 * const count = await deleteJobs(db, 'mail_jobs', mine, { dryRun: true })
 * await deleteJobs(db, 'mail_jobs', mine)
 */
export async function deleteJobs<DB, Table extends keyof DB & string, DryRun extends boolean = false>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: DeleteOptions<DryRun> = {},
): Promise<BulkResult<DryRun>> {
  checkBulkOptions(options, [])
  const { table: name, key, home, archive } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, { key, home })
  // Who waited for them, as the next in their line, is next; what becomes of the notification stops no deletion.
  const wake = () => undoable(jobs, () => tellWorkers(jobs, name, { kind: 'due', in: 0 })).catch(() => {})
  const current = deletion(jobs, job.not(isRunning()), wake)
  if (archive === undefined) return inBulk([current], selection, options)
  const archived = archivedJobs(jobs, archive)
  if (!options.dryRun) await proveDeletable(archived, selection)
  return inBulk([current, deletion(archived, isFinal())], selection, options)
}

function deletion(jobs: Jobs, may: BulkWrite['may'], deleted?: () => Promise<void>): BulkWrite {
  const write: BulkWrite['write'] = async ({ db, table, isLocked }) => {
    const rows = await db.deleteFrom(table).where(isLocked).returning('id').execute()
    if (rows.length > 0) await deleted?.()
    return rows.map(({ id }) => id)
  }
  return { jobs, may, write, removes: true }
}

/** Whether rows of the archive may be deleted, and have the columns of the condition: before anything is written. @throws what Postgres says */
async function proveDeletable<Row>(jobs: Jobs, selection: JobSelection<Row>): Promise<void> {
  const none = job.and([isSelected(selection), job.lit(false)])
  await undoable(jobs, () => jobs.db.deleteFrom(jobs.asJob).where(none).execute())
}
