import { clockTimestamp } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import type { JobSelection } from '../predicates/selected.js'
import { isPending, isRunning, statusLiteral } from '../predicates/status.js'
import { idOfWritten } from '../predicates/values.js'
import type { JobId } from '../schema/columns.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { asText } from '../schema/text.js'
import { movedRows, usable } from './archive.js'
import { inBulk } from './bulk.js'
import { type BulkOptions, type BulkResult, checkBulkOptions } from './bulk-options.js'
import { type BulkWrite, undoable } from './chunks.js'
import { tellWorkers } from './notify.js'
import type { Signal } from './signal.js'

export interface CancelOptions<DryRun extends boolean = false> extends BulkOptions<DryRun> {
  /** Why, for `last_error` and the handler's signal. Default "on request". */
  readonly reason?: string
  /** What becomes of their rows: `keep` (default), or `archive`: they go to the table's archive. */
  readonly finished?: 'keep' | 'archive'
}

/**
 * Ends jobs on purpose, pending and running ones. A running job's lease is taken with it, and whatever its handler still
 * does is fenced off. The handler's signal aborts within a second where its worker listens; where it only polls, at its
 * next poll (2 s by default), at the latest at its next heartbeat (a third of the lease).
 * In a table with the seed's six statuses the job becomes failed; `last_error` reads "Cancelled: ..." in both. With
 * `finished: 'archive'` they go to the table's archive.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that the table refuses (a trigger, a CHECK) keeps its state and stops no other.
 *
 * @returns the ids of the jobs that were cancelled (final ones are left alone), and as `refused` those that were not let;
 * with `dryRun: true` the number of the jobs that match
 * @throws BulkOptionError, TypeError, ArchiveError before anything is written; whatever concerns all jobs (no connection, no
 * privilege, a timeout): chunks before it are written
 * @example
 * await cancelJobs(db, 'mail_jobs', { where: (job) => job('user_id', '=', id) }, { reason: 'the user left' })
 */
export async function cancelJobs<DB, Table extends keyof DB & string, DryRun extends boolean = false>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: CancelOptions<DryRun> = {},
): Promise<BulkResult<DryRun>> {
  checkBulkOptions(options, ['reason', 'finished'])
  const { table: name, holdsCancelled, columns, key, home, archive } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, { key, home })
  const into = options.finished === 'archive' ? usable(archive, name) : undefined
  const may = job.or([isPending(), isRunning()])
  const write: BulkWrite['write'] = async ({ db, table, isLocked }) => {
    const changes = {
      status: statusLiteral(holdsCancelled ? 'job_status_cancelled' : 'job_status_failed'),
      locked_by: null,
      updated_at: clockTimestamp(),
      ...(columns.has('finished_at') && { finished_at: clockTimestamp() }),
      last_error: `Cancelled: ${options.reason ?? 'on request'}`,
    }
    const cancelled = await (into
      ? movedRows<Cancelled>(jobs, db.deleteFrom(table).where(isLocked), { archive: into, changes }, wasRunning(jobs))
      : db
          .updateTable(table)
          .set(changes)
          .where(isLocked)
          .returning(['id', wasRunning(jobs)])
          .execute())
    const wasOneRunning = cancelled.some((row) => row[own.text] === 'true')
    const signals: Signal[] = [...(wasOneRunning ? [{ kind: 'check leases' } as const] : []), { kind: 'due', in: 0 }]
    // Else heartbeats and polls tell of it: the jobs are cancelled, whatever becomes of the notifications. Who waited for them is next.
    for (const signal of cancelled.length > 0 ? signals : [])
      await undoable(jobs, () => tellWorkers(jobs, name, signal)).catch(() => {})
    return cancelled.map(({ id }) => id)
  }
  return inBulk([{ jobs, may, write, removes: into !== undefined }], selection, options)
}

interface Cancelled {
  readonly id: JobId
  readonly [own.text]: string | null
}

/** What RETURNING selects for itself is as the statement found it. Exists, as an id may be that of more than one row. */
function wasRunning(jobs: Jobs) {
  const before = jobs.db
    .selectFrom(jobs.db.dynamic.table(jobs.name).as(own.before))
    .where(job(column('id', own.before), '=', idOfWritten()))
    .where(isRunning(own.before))
  return asText(job.exists(before))
}
