import { hasIdIn } from '../predicates/ids.js'
import { endingSilence, keepingLease } from '../predicates/kept.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import type { Jobs } from '../schema/job-database.js'
import { inGroups } from './outcome.js'

/** Locks a job's row until the end of the transaction, if the worker still holds it: no heartbeat and no rescue writes to it meanwhile. */
export async function holdRow(jobs: Jobs, { id, attempt }: Lease, worker: string): Promise<boolean> {
  const row = jobs.db
    .selectFrom(jobs.table)
    .select('job.id')
    .where(holdsLease({ worker, attempt, ids: [id] }, 'job'))
    .forNoKeyUpdate()
  return (await row.execute()).length > 0
}

/**
 * Keeps leases until the end of the transaction without writing to their rows: a rescue passes them over, however long
 * ago they were renewed. The transaction is `read committed`; the server ends it where it says nothing for so many milliseconds.
 *
 * @returns the leases that are held: looked for after they were locked, as a rescue may have been quicker
 */
export async function keepLeases<Held extends Lease>(
  jobs: Jobs,
  leases: readonly Held[],
  { worker, silence }: { readonly worker: string; readonly silence: number },
): Promise<Held[]> {
  await jobs.db.selectNoFrom(endingSilence(silence).as('set')).execute()
  const ids = leases.map(({ id }) => id)
  await jobs.db.selectFrom(jobs.table).select(keepingLease('job').as('kept')).where(hasIdIn(ids, 'job')).execute()
  const held: Held[] = []
  for (const group of inGroups(leases)) {
    const fence = holdsLease({ worker, attempt: group[0].attempt, ids: group.map(({ id }) => id) }, 'job')
    const rows = await jobs.db.selectFrom(jobs.table).select('job.id').where(fence).execute()
    const found = new Set(rows.map(({ id }) => String(id)))
    held.push(...group.filter(({ id }) => found.has(String(id))))
  }
  return held
}
