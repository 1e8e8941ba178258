import type { KeptLimits } from '../queue/allowance.js'
import { isRated, type Keyed } from '../queue/claim.js'
import { isUnfitForKeys } from '../queue/key-text.js'
import { realNames } from '../queue/returned.js'
import { type Home, isBeside, isElsewhere } from '../schema/engine.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { findSideTable, limitsTable, SideTableError, sideFlaw, sideTable } from '../schema/side-table.js'
import { WorkerOptionError } from './option-values.js'

/**
 * Where limits of single keys are kept, and how far rates are used. A rate needs such a table; a limit has one where it is there.
 * @throws SideTableError, WorkerOptionError
 */
export async function keptLimits(
  keyed: Keyed,
  jobs: Jobs,
  { table: of, columns: types, home }: JobTableDescription,
): Promise<KeptLimits | undefined> {
  const columns = realNames(jobs, keyed.by).map((name) => ({ name, type: types.get(name) ?? '' }))
  const unfit = columns.find(({ type }) => isUnfitForKeys(type))
  if (keyed.rate !== undefined && unfit !== undefined)
    throw new WorkerOptionError(
      `rate.by: '${unfit.name}' of ${jobs.name} is of type ${unfit.type}, of which one value has several texts; take a column of another type`,
    )
  const table = await limitsOf(keyed, jobs)
  if (table === undefined) return undefined
  if (!(await isBeside(jobs.db, of, home, table)))
    throw new SideTableError('SIDE_TABLE_UNFIT', notBeside(table, of, home))
  const isApart = isElsewhere(home)
  return { table, of, columns, isApart }
}

async function limitsOf(keyed: Keyed, jobs: Jobs): Promise<TableName | undefined> {
  if (isRated(keyed)) return sideTable(jobs.db, limitsTable, 'write')
  if (keyed.total === undefined && typeof keyed.max !== 'number') return undefined
  const found = await findSideTable(jobs.db, limitsTable)
  if (found === undefined || !found.isOurs) return undefined
  const flaw = sideFlaw(found, limitsTable, 'read')
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return found.table
}

function notBeside(table: TableName, of: TableName, { engine, placement }: Home): string {
  const [limits, jobs] = [quotedName(table), quotedName(of)]
  const ofSchema = (schema: string) =>
    `let a migration call createJobLimits(db.withSchema('${schema}')), and give workers such a handle`
  const copied = `select create_reference_table('${limits}')`
  if (placement.kind === 'local')
    return `${limits} is not local to the server that is asked, as ${jobs} is (${engine.name} ${engine.version}), so that no statement reads both: ${ofSchema('another schema')}`
  const remedy =
    placement.kind === 'one node' ? `${ofSchema(of.schema)}, or say: ${copied}` : `let a migration say: ${copied}`
  return `${limits} is not on the node that has ${jobs} (${engine.name} ${engine.version}), where its claims read it: ${remedy}`
}
