import { type Catalog, readCatalog } from '../schema/catalog.js'
import { homeOf, type Placement } from '../schema/engine.js'
import type { Engine, EngineOptions } from '../schema/engines/engine.js'
import { findTable, noSuchTable, type WrittenName, writtenName } from '../schema/identify.js'
import { maxNameBytes, type TableName } from '../schema/names.js'
import { unlessUndone } from '../schema/undone.js'
import { catalogQuery, execute, inTransaction, type MigrationDatabase } from './migration-database.js'

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
  readonly catalog: Catalog
  /** What the server can do, for this table. */
  readonly engine: Engine
  /** Where its rows are. */
  readonly placement: Placement
}

/**
 * A table that must be there, found as the user's plugins (schema, case) and the search_path say.
 * @param given what the user says of the engine
 * @throws CatalogError, JobTableNameError, NoSuchTableError
 */
export async function existingTarget(db: MigrationDatabase, name: string, given?: EngineOptions): Promise<Target> {
  const written = checkedName(db, name)
  const plain = db.withoutPlugins()
  const table = await findTable(db, written)
  const catalog = table && (await readCatalog(plain, table))
  if (table === undefined || catalog === undefined) throw noSuchTable(written)
  return { db: plain, table, catalog, ...(await homeOf(plain, table, catalog, given)) }
}

/** Does what can't be one transaction; from the beginning where others undo it. @throws JobTableNameError, NoSuchTableError */
export function onTarget(
  db: MigrationDatabase,
  name: string,
  work: (target: Target) => Promise<void>,
  given?: EngineOptions,
): Promise<void> {
  return unlessUndone(db, async () => work(await existingTarget(db, name, given)))
}

/** Changes such a table, all or nothing. @throws JobTableNameError, NoSuchTableError */
export function changeTable(
  db: MigrationDatabase,
  name: string,
  change: (target: Target) => Promise<void>,
  given?: EngineOptions,
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const target = await existingTarget(trx, name, given)
    if (target.placement.kind === 'distributed') await oneByOne(target.db)
    await change(target)
  })
}

/**
 * Has Citus change the parts of a table one after the other, by one connection to each node, in this transaction: what is changed by several it
 * lets no type be made or dropped behind.
 */
export async function oneByOne(db: MigrationDatabase): Promise<void> {
  await execute(db, `set local citus.multi_shard_modify_mode to 'sequential'`)
}

/**
 * Where CREATE TABLE would put a table, whatever tables of the same name other schemas have: without a schema of its own
 * in the first of the search_path that exists.
 * @throws JobTableNameError
 */
export async function schemaOfNew(db: MigrationDatabase, name: string): Promise<string> {
  const { schema: given } = checkedName(db, name)
  const [row] = await catalogQuery<{ schema: string | null }>(db, 'select pg_catalog.current_schema()::text as schema')
  const schema = given ?? row?.schema
  if (schema) return schema
  throw new JobTableNameError(
    "No schema of the search_path exists, so there is none to create in: name one ('billing.jobs', or withSchema)",
  )
}

/** @throws JobTableNameError */
function checkedName(db: MigrationDatabase, name: string): WrittenName {
  const said = JSON.stringify(name) ?? String(name)
  // kysely reads a dot as the end of the schema, and drops what follows a second one.
  if (typeof name !== 'string' || name.split('.').length > 2) {
    throw new JobTableNameError(
      `${said} is no table name: give 'table' or 'schema.table' (no other dot can be said in kysely)`,
    )
  }
  const written = writtenName(db, name)
  for (const part of [written.schema ?? written.name, written.name]) {
    if (part === '' || part.includes('\0')) {
      throw new JobTableNameError(`${said} is no table name: Postgres takes neither an empty name nor a NUL byte`)
    }
    const bytes = Buffer.byteLength(part)
    if (bytes > maxNameBytes) {
      throw new JobTableNameError(
        `The name ${JSON.stringify(part)} has ${bytes} bytes; Postgres would silently cut it to ${maxNameBytes}, so that two tables may become one: choose a shorter name`,
      )
    }
  }
  return written
}
