import { endingSilence, keepingLease } from '../predicates/kept.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import { isAmong } from '../predicates/rows.js'
import type { Jobs } from '../schema/job-database.js'
import { valuesOf } from '../schema/text.js'
import { byValue } from './by-value.js'
import { among, rowsOf, toldAsText } from './fenced.js'
import { inGroups } from './outcome.js'
import { type JobState, statesOf } from './state.js'

/**
 * Locks the rows of jobs until the end of the transaction, as far as the worker still holds them: no heartbeat and no rescue
 * writes to them meanwhile.
 * @param options.deletes they may be going to leave the table
 * @returns the leases that it holds
 */
export async function holdRows<Held extends Lease>(
  jobs: Jobs,
  leases: readonly Held[],
  { worker, deletes }: { readonly worker: string; readonly deletes: boolean },
): Promise<Held[]> {
  const held: Held[] = []
  for (const group of inGroups(leases)) {
    for (const [ofNode, some] of byValue(jobs, group)) {
      const isHeld = holdsLease({ worker, attempt: group[0].attempt, ...rowsOf(ofNode, some) })
      const rows = ofNode.db.selectFrom(jobs.table).where(isHeld).select(toldAsText(ofNode))
      const locked = deletes ? rows.forUpdate() : rows.forNoKeyUpdate()
      held.push(...among(some, await valuesOf(ofNode.db, locked.compile()), ofNode.key !== undefined))
    }
  }
  return held
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
