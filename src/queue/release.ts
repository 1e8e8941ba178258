import type { Lease } from '../predicates/lease.js'
import type { KnownOfTable } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { settle } from './settle.js'

/**
 * Hands jobs back as if they had not been claimed, their attempt too: for a shutdown, and only where the handler
 * never ran or has ended. They stay due, so that another worker takes them at once.
 *
 * @returns the leases that were still held
 * @example await release(db, 'jobs', [{ id: job.id, attempt: job.attempts_count }], { worker })
 */
export async function release<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  leases: readonly Lease[],
  options: { readonly worker: string } & KnownOfTable,
): Promise<Lease[]> {
  const outcomes = leases.map(({ id, attempt, key }) => ({ id, attempt, key, kind: 'released' }) as const)
  const released = await settle(db, table, outcomes, { worker: options.worker, key: options.key, home: options.home })
  return released.map(({ kind, ...lease }) => lease)
}
