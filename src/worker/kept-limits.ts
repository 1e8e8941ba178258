import type { KeptLimits } from '../queue/allowance.js'
import { isRated, type Keyed } from '../queue/claim.js'
import { isUnfitForKeys } from '../queue/key-text.js'
import { realNames } from '../queue/returned.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { findSideTable, limitsTable, SideTableError, sideFlaw, sideTable } from '../schema/side-table.js'
import { WorkerOptionError } from './option-values.js'

/**
 * Where limits of single keys are kept, and how far rates are used. A rate needs such a table; a limit has one where it is there.
 * @throws SideTableError, WorkerOptionError
 */
export async function keptLimits(
  keyed: Keyed,
  jobs: Jobs,
  { table: of, columns: types }: JobTableDescription,
): Promise<KeptLimits | undefined> {
  const columns = realNames(jobs, keyed.by).map((name) => ({ name, type: types.get(name) ?? '' }))
  const unfit = columns.find(({ type }) => isUnfitForKeys(type))
  if (keyed.rate !== undefined && unfit !== undefined)
    throw new WorkerOptionError(
      `rate.by: '${unfit.name}' of ${jobs.name} is of type ${unfit.type}, of which one value has several texts; take a column of another type`,
    )
  if (isRated(keyed)) return { table: await sideTable(jobs.db, limitsTable, 'write'), of, columns }
  if (keyed.total === undefined && typeof keyed.max !== 'number') return undefined
  const found = await findSideTable(jobs.db, limitsTable)
  if (found === undefined || !found.isOurs) return undefined
  const flaw = sideFlaw(found, limitsTable, 'read')
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return { table: found.table, of, columns }
}
