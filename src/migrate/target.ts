import { findTable, NoSuchTableError, type WrittenName, writtenName } from '../schema/identify.js'
import { maxNameBytes, quotedName, type TableName } from '../schema/names.js'
import { catalogQuery, type MigrationDatabase } from './migration-database.js'

/** A table name that can't be kept as it is. */
export class JobTableNameError extends Error {
  override readonly name = 'JobTableNameError'
  readonly code = 'INVALID_TABLE_NAME'
}

/** The table that DDL is about. */
export interface Target {
  /** The migration's handle past all plugins: names below are the catalog's. */
  readonly db: MigrationDatabase
  readonly table: TableName
}

/**
 * A table that must be there, found as the user's plugins (schema, case) and the search_path say.
 * @throws JobTableNameError, NoSuchTableError
 */
export async function existingTarget(db: MigrationDatabase, name: string): Promise<Target> {
  const written = checkedName(db, name)
  const table = await findTable(db, written)
  if (table !== undefined) return { db: db.withoutPlugins(), table }
  throw new NoSuchTableError(
    `There is no table ${quotedName(written)} in this database: create it first (createJobTable), or check the name and the search_path`,
  )
}

/**
 * Where CREATE TABLE would put a table, whatever tables of the same name other schemas have.
 * @throws JobTableNameError
 */
export async function newTarget(db: MigrationDatabase, name: string): Promise<Target> {
  const { schema, name: table } = checkedName(db, name)
  return { db: db.withoutPlugins(), table: { schema: schema ?? (await creationSchema(db)), name: table } }
}

/** The first schema of the search_path that exists. */
export async function creationSchema(db: MigrationDatabase): Promise<string> {
  const [row] = await catalogQuery<{ schema: string | null }>(db, 'select pg_catalog.current_schema()::text as schema')
  if (row?.schema) return row.schema
  throw new JobTableNameError(
    "No schema of the search_path exists, so there is none to create in: name one ('billing.jobs', or withSchema)",
  )
}

/** @throws JobTableNameError */
function checkedName(db: MigrationDatabase, name: string): WrittenName {
  // kysely reads a dot as the end of the schema, and drops what follows a second one.
  if (typeof name !== 'string' || name.split('.').length > 2) {
    throw new JobTableNameError(
      `${JSON.stringify(name) ?? String(name)} is no table name: give 'table' or 'schema.table' (no other dot can be said in kysely)`,
    )
  }
  const written = writtenName(db, name)
  for (const part of [written.schema, written.name]) if (part !== undefined) checkPart(part, name)
  return written
}

function checkPart(part: string, name: string): void {
  if (part === '' || part.includes('\0')) {
    throw new JobTableNameError(
      `${JSON.stringify(name)} is no table name: Postgres takes neither an empty name nor a NUL byte`,
    )
  }
  const bytes = Buffer.byteLength(part)
  if (bytes <= maxNameBytes) return
  throw new JobTableNameError(
    `The name ${JSON.stringify(part)} has ${bytes} bytes; Postgres would silently cut it to ${maxNameBytes}, so that two tables may become one: choose a shorter name`,
  )
}
