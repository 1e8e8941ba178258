import type { Expression, SqlBool, UpdateObject } from 'kysely'
import { hasIdIn } from '../predicates/ids.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import type { JobId } from '../schema/columns.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { compiled, numberPlace } from './compiled.js'
import { prepared } from './prepared.js'

/** To write no more than so many rows takes no longer than to plan it. */
const fewEntries = 10

/** What a fenced statement writes. */
export type Changes = UpdateObject<JobDatabase, 'job'>

/** A fenced statement, to be run for any leases of one attempt number. @returns the entries whose row was written, or deleted */
export type Fenced = <Entry extends Lease>(db: Jobs['db'], entries: readonly Entry[]) => Promise<Entry[]>

interface Fence {
  readonly worker: string
  /** Pass rows over that somebody else has locked, so that one does not hold up the others. Default false. */
  readonly skipLocked?: boolean | undefined
}

/**
 * Writes to the rows of leases that the worker still holds, or deletes them. This is the only way in which settle,
 * heartbeat and release touch a row.
 */
export function compileFenced(jobs: Jobs, write: Changes | 'delete', { worker, skipLocked = false }: Fence): Fenced {
  const statement = compiled({ ids: noIds(), attempt: numberPlace() }, (leases) => {
    const held = heldRows(jobs, { worker, ...leases }, skipLocked)
    return write === 'delete'
      ? jobs.db.deleteFrom(jobs.table).where(held).returning('job.id').compile()
      : jobs.db.updateTable(jobs.table).set(write).where(held).returning('job.id').compile()
  })
  return async (db, entries) => {
    const [first] = entries
    if (first === undefined) return []
    const query = statement({ ids: entries.map(({ id }) => id), attempt: first.attempt })
    const isPrepared = skipLocked && entries.length <= fewEntries
    return among(entries, (await db.executeQuery(isPrepared ? prepared(query) : query)).rows)
  }
}

function noIds(): JobId[] {
  return []
}

/** The rows that the fence lets through, and that nobody else has locked where those are passed over. */
function heldRows(jobs: Jobs, leases: Parameters<typeof holdsLease>[0], skipLocked: boolean): Expression<SqlBool> {
  const fence = holdsLease(leases, 'job')
  if (!skipLocked) return fence
  return hasIdIn(jobs.db.selectFrom(jobs.table).select('job.id').where(fence).forUpdate().skipLocked(), 'job')
}

/** The entries whose row came back. */
function among<Entry extends Lease>(entries: readonly Entry[], rows: readonly { readonly id: JobId }[]): Entry[] {
  if (rows.length === entries.length) return [...entries] // a row comes back once, so none is missing
  const held = new Set(rows.map(({ id }) => String(id)))
  return entries.filter(({ id }) => held.has(String(id)))
}
