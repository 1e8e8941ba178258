import { clockTimestamp } from '../predicates/clock.js'
import type { Lease } from '../predicates/lease.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { writeFenced } from './fenced.js'
import { inGroups } from './outcome.js'
import { handedBack } from './settle.js'

/**
 * Hands jobs back as if they had not been claimed, their attempt too: for a shutdown, and only where the handler
 * never ran or has ended. They stay due, so that another worker takes them at once.
 *
 * @returns the leases that were still held
 */
export async function release<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  leases: readonly Lease[],
  options: { readonly worker: string },
): Promise<Lease[]> {
  const jobs = jobsOf(db, table)
  const released: Lease[] = []
  for (const group of inGroups(leases)) {
    const [{ attempt }] = group
    const changes = { ...handedBack(attempt), locked_by: null, updated_at: clockTimestamp() }
    released.push(...(await writeFenced(jobs, options.worker, group, changes)))
  }
  return released
}
