import type { Expression, SqlBool } from 'kysely'
import { earlier, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { hasStatus, isFinal } from '../predicates/status.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import type { FinalStatus } from '../schema/statuses.js'
import { asText, textsOf } from '../schema/text.js'
import { ofLocked, toldRows } from './locked.js'
import { eachNodeOf } from './values.js'

export interface PruneOptions {
  /** How long ago a job must have ended (its `updated_at`). */
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
  const { key, home } = await inspectJobTable(db, table)
  const limit = options.limit ?? 1000
  let count = 0
  for await (const some of eachNodeOf(jobsOf(db, table, { key, home }), haveEnded(options), limit)) {
    if (count < limit) count += await pruneOf(some, { ...options, limit: limit - count })
  }
  return count
}

async function pruneOf(jobs: Jobs, options: PruneOptions): Promise<number> {
  const old = toldRows(jobs)
    .where(haveEnded(options))
    .orderBy('updated_at')
    .limit(options.limit ?? 1000)
    .forUpdate()
    .skipLocked()
  const { db: locking, isLocked } = ofLocked(jobs, old)
  const deleted = await locking.deleteFrom(jobs.table).where(isLocked).executeTakeFirst()
  return Number(deleted.numDeletedRows)
}

/** How many jobs `pruneJobs` would delete, if it were called again and again. It reads what it counts. */
export async function countPrunable<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: PruneOptions,
): Promise<number> {
  const jobs = jobsOf(db, table)
  const counted = jobs.db.selectFrom(jobs.asJob).select(asText(job.fn.countAll())).where(haveEnded(options))
  const [text] = await textsOf(jobs.db, counted.compile())
  return Number(text)
}

/** Whether jobs ended so, so long ago. */
export function haveEnded({ olderThan, statuses }: PruneOptions): Expression<SqlBool> {
  const isOld = job(column('updated_at'), '<', earlier(now(), milliseconds(olderThan, 'olderThan')))
  return job.and([isFinal(), isOld, ...(statuses === undefined ? [] : [hasStatus(statuses)])])
}
