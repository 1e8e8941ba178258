import type { Keyed } from '../queue/claim.js'
import { limitedKeys } from '../queue/limited-keys.js'
import { realNames } from '../queue/returned.js'
import type { Jobs } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { findSideTable, limitsTable, sideFlaw } from '../schema/side-table.js'

/** Limits that `limitJobs` has set for a table, and a worker of it does not go by: a sentence with the remedy; undefined: none. */
export async function adviceOnLimits(jobs: Jobs, of: TableName, keyed?: Keyed): Promise<string | undefined> {
  const found = await findSideTable(jobs.db, limitsTable)
  if (found === undefined || sideFlaw(found, limitsTable, 'read') !== undefined) return undefined
  const heeded = heededBy(jobs, keyed).map(textOf)
  const others = (await limitedKeys(jobs, found.table, of)).map(textOf).filter((text) => !heeded.includes(text))
  if (others.length === 0) return undefined
  const own = heeded.length === 0 ? 'it has no limit of a number' : `its own limit is ${heeded.join(' and ')}`
  return `limitJobs has set limits ${others.join(' and ')}, which this worker does not heed, as ${own}: give it a limit by these columns, or set them anew by its own`
}

/** The columns by which a worker's limit can be changed. */
function heededBy(jobs: Jobs, { by = [], max, total }: Partial<Keyed> = {}): string[][] {
  const ofKey = typeof max === 'number' ? [realNames(jobs, by).toSorted()] : []
  return total === undefined ? ofKey : [...ofKey, []]
}

const textOf = (columns: readonly string[]): string =>
  columns.length === 0 ? 'of the whole table' : `by ${columns.map((name) => `'${name}'`).join(', ')}`
