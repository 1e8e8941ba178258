import { type QueryExecutor, type SchemaModule, sql } from 'kysely'

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

/** All or nothing: in the migration's own transaction where it has one, else in a new one. */
export function inTransaction<Result>(
  db: MigrationDatabase,
  work: (trx: MigrationDatabase) => Promise<Result>,
): Promise<Result> {
  return db.isTransaction ? work(db) : db.transaction().execute(work)
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

/** A value in SQL text. */
export function literal(value: string): string {
  const doubled = value.replaceAll("'", "''")
  // E'' reads a backslash the same way whatever standard_conforming_strings is set to.
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}
