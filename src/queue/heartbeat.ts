import { clockTimestamp } from '../predicates/clock.js'
import { renewedToken } from '../predicates/interruption.js'
import type { Lease } from '../predicates/lease.js'
import { jobsOf, type KnownOfTable } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { compileFenced } from './fenced.js'
import { inGroups } from './outcome.js'

/**
 * Renews leases from this moment on, one statement for each attempt number among them. Rows that a transaction
 * holds locked (a handler's own, say) are passed over, so that one can't keep the others from being renewed; while
 * they are locked no rescue takes them either. A job that was claimed ahead of free slots counts as begun from then on.
 *
 * @returns the leases that were renewed; of the others `jobStates` tells whether they are lost or only locked.
 * @example await heartbeat(db, 'jobs', [{ id: job.id, attempt: job.attempts_count }], { worker })
 */
export async function heartbeat<DB, Table extends keyof DB & string, Held extends Lease>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  leases: readonly Held[],
  options: { readonly worker: string } & KnownOfTable,
): Promise<Held[]> {
  const jobs = jobsOf(db, table, options)
  const token = renewedToken(options.worker)
  const changes = { locked_at: clockTimestamp(), ...(token && { locked_by: token }) }
  const renew = compileFenced(jobs, changes, { worker: options.worker, skipLocked: true, mayBeForgotten: true })
  const renewed: Held[] = []
  for (const group of inGroups(leases)) renewed.push(...(await renew(jobs.db, group)))
  return renewed
}
