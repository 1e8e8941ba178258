import { type JobArchive, readableArchiveOf } from '../schema/archive.js'
import { identifyTable } from '../schema/identify.js'
import { readJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { ReadonlyQueryable } from '../schema/job-table.js'
import { type KnownIndexes, readKnownIndexes } from '../schema/known-indexes.js'
import type { TableName } from '../schema/names.js'

/** A job table as whoever looks at it knows it: what rarely changes, so that it may be kept for a while. */
export interface ObservedTable {
  /** As the user writes it. */
  readonly written: string
  readonly table: TableName
  readonly indexes: KnownIndexes
  /** Undefined too where this role may not read it. */
  readonly archive: JobArchive | undefined
}

/**
 * Looks job tables up in the catalog, by their names as the user writes them.
 * @throws NoSuchTableError, JobTableError
 */
export async function observedTables<DB>(
  db: ReadonlyQueryable<DB>,
  names: readonly string[],
): Promise<ObservedTable[]> {
  const handle = jobsOf(db, '').db
  const tables: ObservedTable[] = []
  for (const name of names) tables.push(await observed(handle, name))
  return tables
}

async function observed(db: Jobs['db'], written: string): Promise<ObservedTable> {
  const table = await identifyTable(db, written)
  const catalog = await readJobTable(db.withoutPlugins(), table)
  const indexes = await readKnownIndexes(db, table, catalog)
  return { written, table, indexes, archive: readableArchiveOf(catalog, table, 'queue') }
}
