import type { Expression, SqlBool, UpdateObject } from 'kysely'
import { hasIdIn } from '../predicates/ids.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import type { JobId } from '../schema/columns.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'

/** What a fenced statement writes. */
export type Changes = UpdateObject<JobDatabase, 'job'>

/**
 * Writes to the rows of these leases that the worker still holds; all leases are of one attempt number.
 * This and {@link deleteFenced} are the only ways in which settle, heartbeat and release touch a row.
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
  const held = heldRows(jobs, worker, entries, skipLocked)
  if (held === undefined) return []
  return among(entries, await jobs.db.updateTable(jobs.table).set(changes).where(held).returning('job.id').execute())
}

/**
 * Deletes the rows of these leases that the worker still holds; else as {@link writeFenced}.
 * @returns the entries whose row was deleted
 */
export async function deleteFenced<Entry extends Lease>(
  jobs: Jobs,
  worker: string,
  entries: readonly Entry[],
  skipLocked = false,
): Promise<Entry[]> {
  const held = heldRows(jobs, worker, entries, skipLocked)
  if (held === undefined) return []
  return among(entries, await jobs.db.deleteFrom(jobs.table).where(held).returning('job.id').execute())
}

/** The rows that the fence lets through, and that nobody else has locked where those are passed over. */
function heldRows(
  jobs: Jobs,
  worker: string,
  entries: readonly Lease[],
  skipLocked: boolean,
): Expression<SqlBool> | undefined {
  const [first] = entries
  if (first === undefined) return undefined
  const fence = holdsLease({ worker, attempt: first.attempt, ids: entries.map(({ id }) => id) }, 'job')
  if (!skipLocked) return fence
  return hasIdIn(jobs.db.selectFrom(jobs.table).select('job.id').where(fence).forUpdate().skipLocked(), 'job')
}

/** The entries whose row came back. */
function among<Entry extends Lease>(entries: readonly Entry[], rows: readonly { readonly id: JobId }[]): Entry[] {
  if (rows.length === entries.length) return [...entries] // a row comes back once, so none is missing
  const held = new Set(rows.map(({ id }) => String(id)))
  return entries.filter(({ id }) => held.has(String(id)))
}
