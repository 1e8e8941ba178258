import { type QueryExecutor, type SchemaModule, sql } from 'kysely'
import { unlessUndone } from '../schema/undone.js'

/**
 * The handle a migration is given: any `Kysely`, `Transaction` or `ControlledTransaction`, of whatever database
 * type. Described by what DDL needs of it, so that `Kysely<any>` in a migration and a typed handle in a test fit.
 */
export interface MigrationDatabase {
  readonly schema: SchemaModule
  readonly isTransaction: boolean
  getExecutor(): QueryExecutor
  withoutPlugins(): MigrationDatabase
  transaction(): { execute<Result>(callback: (trx: MigrationDatabase) => Promise<Result>): Promise<Result> }
}

/** All or nothing: in the migration's own transaction where it has one, else in a new one, which is run again where others undo it. */
export function inTransaction<Result>(
  db: MigrationDatabase,
  work: (trx: MigrationDatabase) => Promise<Result>,
): Promise<Result> {
  return db.isTransaction ? work(db) : unlessUndone(db, () => db.transaction().execute(work))
}

/** Runs a statement whose names are quoted and whose values are literals already: DDL takes no parameters. */
export async function execute(db: MigrationDatabase, statement: string): Promise<void> {
  await sql.raw(statement).execute(db)
}

/** The rows of a query of the catalog, out of the reach of plugins. */
export async function catalogQuery<Row>(db: MigrationDatabase, query: string): Promise<Row[]> {
  const { rows } = await sql.raw<Row>(query).execute(db.withoutPlugins())
  return rows
}

/** As 180004 of 18.4. */
export async function serverVersion(db: MigrationDatabase): Promise<number> {
  const setting = `pg_catalog.current_setting('server_version_num')`
  const [row] = await catalogQuery<{ version: string }>(db, `select ${setting} as version`)
  return Number(row?.version)
}

/** Whether the server has a function, as `uuidv7()`, of its own: an engine may say a version of Postgres, and lack what came with it. */
export async function hasFunction(db: MigrationDatabase, name: string): Promise<boolean> {
  const found = `pg_catalog.to_regprocedure(${literal(`pg_catalog.${name}`)}) is not null`
  const [row] = await catalogQuery<{ found: string }>(db, `select (${found})::text as found`)
  return row?.found === 'true'
}

/** A value in SQL text. */
export function literal(value: string): string {
  const doubled = value.replaceAll("'", "''")
  // E'' reads a backslash the same way whatever standard_conforming_strings is set to.
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}
