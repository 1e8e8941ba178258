import { endingSilence, keepingLease } from '../predicates/kept.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import { isAmong } from '../predicates/rows.js'
import type { Jobs } from '../schema/job-database.js'
import { textsOf } from '../schema/text.js'
import { rowsOf } from './fenced.js'
import { toldRows } from './locked.js'
import { type JobState, statesOf } from './state.js'

/** Locks a job's row until the end of the transaction, if the worker still holds it: no heartbeat and no rescue writes to it meanwhile. */
export async function holdRow(jobs: Jobs, lease: Lease, worker: string): Promise<boolean> {
  const held = holdsLease({ worker, attempt: lease.attempt, ...rowsOf(jobs, [lease]) })
  return (await textsOf(jobs.db, toldRows(jobs).where(held).forNoKeyUpdate().compile())).length > 0
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
  const rows = jobs.db.selectFrom(jobs.table).where(isAmong(rowsOf(jobs, leases)))
  await rows.select(keepingLease().as('kept')).execute()
  const states = await statesOf(jobs, leases)
  return leases.filter((lease) => isHeld(states.get(lease), lease, worker))
}

function isHeld(state: JobState | undefined, { attempt }: Lease, worker: string): boolean {
  return state?.worker === worker && state.attempt === attempt
}
