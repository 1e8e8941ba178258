import type { UpdateObject } from 'kysely'
import { hasIdIn } from '../predicates/ids.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'

/** What a fenced statement writes. */
export type Changes = UpdateObject<JobDatabase, 'job'>

/**
 * Writes to the rows of these leases that the worker still holds; all leases are of one attempt number.
 * The only way in which settle, heartbeat and release touch a row.
 *
 * @param skipLocked pass rows over that somebody else has locked, so that one does not hold up the others
 * @returns the entries whose row was written
 */
export async function writeFenced<Entry extends Lease>(
  jobs: Jobs,
  worker: string,
  entries: readonly Entry[],
  changes: Changes,
  skipLocked = false,
): Promise<Entry[]> {
  const [first] = entries
  if (first === undefined) return []
  const fence = holdsLease({ worker, attempt: first.attempt, ids: entries.map(({ id }) => id) }, 'job')
  const free = jobs.db.selectFrom(jobs.table).select('job.id').where(fence).forUpdate().skipLocked()
  const rows = await jobs.db
    .updateTable(jobs.table)
    .set(changes)
    .where(skipLocked ? hasIdIn(free, 'job') : fence)
    .returning('job.id')
    .execute()
  if (rows.length === entries.length) return [...entries] // a row comes back once, so none is missing
  const held = new Set(rows.map(({ id }) => String(id)))
  return entries.filter(({ id }) => held.has(String(id)))
}
