import type { UpdateObject } from 'kysely'
import { holdsLease, type Lease } from '../predicates/lease.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'

/** What a fenced statement writes. */
export type Changes = UpdateObject<JobDatabase, 'job'>

/**
 * Writes to the rows of these leases that the worker still holds; all leases are of one attempt number.
 * The only way in which settle, heartbeat and release touch a row.
 *
 * @returns the entries whose lease was held; nothing was written for the others.
 */
export async function writeFenced<Entry extends Lease>(
  jobs: Jobs,
  worker: string,
  entries: readonly Entry[],
  changes: Changes,
): Promise<Entry[]> {
  const [first] = entries
  if (first === undefined) return []
  const rows = await jobs.db
    .updateTable(jobs.table)
    .set(changes)
    .where(holdsLease({ worker, attempt: first.attempt, ids: entries.map(({ id }) => id) }, 'job'))
    .returning('job.id')
    .execute()
  if (rows.length === entries.length) return [...entries] // a row comes back once, so none is missing
  const held = new Set(rows.map(({ id }) => String(id)))
  return entries.filter(({ id }) => held.has(String(id)))
}
