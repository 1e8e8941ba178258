import { earlier, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { hasIdIn } from '../predicates/ids.js'
import { hasStatus, isFinal } from '../predicates/status.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import type { FinalStatus } from '../schema/statuses.js'

export interface PruneOptions {
  /** How long ago a job must have ended (its `updated_at`) to be deleted. */
  readonly olderThan: Duration
  /** Only jobs that ended so. Default: all final ones. */
  readonly statuses?: readonly FinalStatus[]
  /** The most rows of one call, so that no transaction grows long. Default 1000. */
  readonly limit?: number
}

/**
 * Deletes jobs that ended long ago, oldest first, in one chunk.
 *
 * @returns how many were deleted; as many as the limit means there may be more.
 * @example while ((await pruneJobs(db, 'send_mail_jobs', { olderThan: '30d' })) > 0);
 */
export async function pruneJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: PruneOptions,
): Promise<number> {
  const jobs = jobsOf(db, table)
  const age = milliseconds(options.olderThan, 'olderThan')
  const old = jobs.db
    .selectFrom(jobs.table)
    .select('job.id')
    .where(isFinal('job'))
    .$if(options.statuses !== undefined, (query) => query.where(hasStatus(options.statuses ?? [], 'job')))
    .where(job(column('updated_at', 'job'), '<', earlier(now(), age)))
    .orderBy('job.updated_at')
    .limit(options.limit ?? 1000)
    .forUpdate()
    .skipLocked()
  const deleted = await jobs.db.deleteFrom(jobs.table).where(hasIdIn(old, 'job')).executeTakeFirst()
  return Number(deleted.numDeletedRows)
}
