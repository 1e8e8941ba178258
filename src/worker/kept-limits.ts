import type { KeptLimits } from '../queue/allowance.js'
import { isRated, type Keyed } from '../queue/claim.js'
import { realNames } from '../queue/returned.js'
import type { Jobs } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { findSideTable, limitsTable, SideTableError, sideFlaw, sideTable } from '../schema/side-table.js'

/**
 * Where limits of single keys are kept, and how far rates are used. A rate needs such a table; a limit has one where it is there.
 * @throws SideTableError
 */
export async function keptLimits(keyed: Keyed, jobs: Jobs, of: TableName): Promise<KeptLimits | undefined> {
  const columns = realNames(jobs, keyed.by)
  if (isRated(keyed)) return { table: await sideTable(jobs.db, limitsTable, 'write'), of, columns }
  if (keyed.total === undefined && typeof keyed.max !== 'number') return undefined
  const found = await findSideTable(jobs.db, limitsTable)
  if (found === undefined || !found.isOurs) return undefined
  const flaw = sideFlaw(found, limitsTable, 'read')
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return { table: found.table, of, columns }
}
