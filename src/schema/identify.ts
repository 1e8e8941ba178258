import { DropTableNode, type QueryExecutorProvider, type SchemaModule, sql } from 'kysely'
import { quotedName, type TableName } from './names.js'

/** A table that the database does not have, or not in the schemas that are searched. */
export class NoSuchTableError extends Error {
  override readonly name = 'NoSuchTableError'
  readonly code = 'NO_SUCH_TABLE'
}

/** What looking a table up needs of a handle: each `Kysely`, `Transaction` and `ControlledTransaction` has it. */
export interface Lookup {
  readonly schema: SchemaModule
  withoutPlugins(): QueryExecutorProvider
}

/** A table as a statement names it; without a schema the search_path decides. */
export interface WrittenName {
  readonly schema?: string
  readonly name: string
}

/**
 * The schema and name of a table as the catalog has them, after the user's plugins (schema, case) and the
 * connection's search_path had their say.
 * @throws NoSuchTableError
 */
export async function identifyTable(db: Lookup, table: string): Promise<TableName> {
  const written = writtenName(db, table)
  const found = await findTable(db, written)
  if (found !== undefined) return found
  throw noSuchTable(written)
}

export function noSuchTable(written: WrittenName, cause?: unknown): NoSuchTableError {
  const text = `There is no table ${quotedName(written)} in this database: create it by a migration (createJobTable), or check the name and the search_path`
  return new NoSuchTableError(text, { cause })
}

/** The table that a name stands for; undefined where there is none. */
export async function findTable(db: Lookup, written: WrittenName): Promise<TableName | undefined> {
  const { rows } = await sql<TableName>`
    select n.nspname as schema, c.relname as name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = pg_catalog.to_regclass(${quotedName(written)})`.execute(db.withoutPlugins())
  return rows[0]
}

/** What the user's plugins make of a table name. */
export function writtenName(db: Lookup, table: string): WrittenName {
  const { query } = db.schema.dropTable(table).compile()
  if (!DropTableNode.is(query)) throw new TypeError('kysely compiled something else than DROP TABLE')
  const { schema, identifier } = query.table.table
  return { name: identifier.name, ...(schema && { schema: schema.name }) }
}
