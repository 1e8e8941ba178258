import { AliasNode, DeleteQueryNode, type OperationNode, sql, TableNode } from 'kysely'
import { jobsOf } from './job-database.js'
import type { Queryable } from './job-table.js'
import type { TableName } from './names.js'

/** A table that the database does not have, or not in the schemas that are searched. */
export class NoSuchTableError extends Error {
  override readonly name = 'NoSuchTableError'
  readonly code = 'NO_SUCH_TABLE'
}

/**
 * The schema and name of a table as the catalog has them, after the user's plugins (schema, case) and the
 * connection's search_path had their say.
 * @throws NoSuchTableError
 */
export async function identifyTable<DB>(db: Queryable<DB>, table: string): Promise<TableName> {
  const written = writtenName(db, table)
  const found = await sql<TableName>`
    select n.nspname as schema, c.relname as name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = pg_catalog.to_regclass(${written})`.execute(db.withoutPlugins())
  const [row] = found.rows
  if (row === undefined) {
    throw new NoSuchTableError(
      `There is no table ${written} in this database: create it by a migration (createJobTable), or check the name and the search_path`,
    )
  }
  return row
}

/** The quoted name that the user's plugins make of a table name. */
export function writtenName<DB>(db: Queryable<DB>, table: string): string {
  const { db: jobs, table: from } = jobsOf(db, table)
  const node = tableNode(jobs.deleteFrom(from).compile().query)
  return [node.table.schema, node.table.identifier]
    .flatMap((part) => (part === undefined ? [] : [`"${part.name.replaceAll('"', '""')}"`]))
    .join('.')
}

function tableNode(query: OperationNode): TableNode {
  const first = DeleteQueryNode.is(query) ? query.from.froms[0] : undefined
  if (first !== undefined && AliasNode.is(first) && TableNode.is(first.node)) return first.node
  throw new TypeError('kysely compiled a delete without a table')
}
