import { clockTimestamp } from '../predicates/clock.js'
import type { Lease } from '../predicates/lease.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { writeFenced } from './fenced.js'
import { inGroups } from './outcome.js'

/**
 * Renews leases from this moment on, one statement for each attempt number among them.
 *
 * @returns the leases that were still held; whoever runs the others must stop: the row was taken, cancelled or deleted.
 */
export async function heartbeat<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  leases: readonly Lease[],
  options: { readonly worker: string },
): Promise<Lease[]> {
  const jobs = jobsOf(db, table)
  const held: Lease[] = []
  for (const group of inGroups(leases)) {
    held.push(...(await writeFenced(jobs, options.worker, group, { locked_at: clockTimestamp() })))
  }
  return held
}
