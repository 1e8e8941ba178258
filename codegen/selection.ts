import type { Table } from './catalog.js'

/** Which tables to generate types for; all, where nothing is given. */
export interface TableSelection {
  /** Names of schemas; `*` stands for any characters. */
  readonly schemas?: readonly string[]
  /** Names of tables, in any schema or with theirs (`billing.accounts`); `*` stands for any characters. */
  readonly tables?: readonly string[]
}

/** A pattern that no table matches: most likely a typing error. */
export class NoSuchTablesError extends Error {
  override readonly name = 'NoSuchTablesError'
  readonly code = 'NO_SUCH_TABLES'
}

/**
 * The tables that a selection asks for.
 * @throws NoSuchTablesError for a pattern that matches none
 */
export function selectTables(
  tables: readonly Table[],
  { schemas = [], tables: names = [] }: TableSelection,
): readonly Table[] {
  const inSchemas = matching('No table is in a schema', schemas, tables, ({ schema }) => [schema])
  return matching('No table is called', names, inSchemas, ({ schema, name }) => [name, `${schema}.${name}`])
}

function matching(
  none: string,
  patterns: readonly string[],
  tables: readonly Table[],
  namesOf: (table: Table) => string[],
): readonly Table[] {
  if (patterns.length === 0) return tables
  const chosen = new Set<Table>()
  for (const pattern of patterns) {
    const glob = new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`, 's')
    const found = tables.filter((table) => namesOf(table).some((name) => glob.test(name)))
    if (found.length === 0) throw new NoSuchTablesError(`${none} ${JSON.stringify(pattern)}`)
    for (const table of found) chosen.add(table)
  }
  return tables.filter((table) => chosen.has(table))
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
