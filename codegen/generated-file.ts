import type { Kysely } from 'kysely'
import { type Catalog, type CatalogType, readCatalog, type Table } from './catalog.js'
import { columnType, type KnownTypes } from './column-type.js'
import { interfaceOf, type Property, unionOf } from './declarations.js'
import { preamble, reservedNames } from './definitions.js'
import { byCodeUnits, keyOf, TypeNames } from './names.js'
import { selectTables, type TableSelection } from './selection.js'

/**
 * The Kysely interface of a live database, as the text of a TypeScript file: an interface for each table and
 * view, and `DB` with all of them. The same tables give the same text, in whatever order they were made.
 * @throws NoSuchTablesError for a pattern of the selection that matches no table
 */
export async function generateTypes<DB>(db: Kysely<DB>, selection: TableSelection = {}): Promise<string> {
  const catalog = await readCatalog(db)
  const tables = inOrder(selectTables(catalog.tables, selection))
  return [header(selection), ...declarations(tables, catalog), ''].join('\n\n').trimEnd().concat('\n')
}

/** Line comments, as a pattern may hold the end of the other kind. */
function header({ schemas = [], tables = [] }: TableSelection): string {
  const options = [
    ...schemas.map((each) => ` --schema ${quoted(each)}`),
    ...tables.map((each) => ` --table ${quoted(each)}`),
  ]
  return `// Generated from the database: change the database, not this file, and run\n// npx kysely-jobs generate --out <this file>${options.join('')}`
}

/** As a shell takes it, on one line. */
function quoted(pattern: string): string {
  if (/^[\w.-]+$/.test(pattern)) return pattern
  return `'${pattern.replaceAll("'", "'\\''").replaceAll(/[\n\r\u2028\u2029]/g, ' ')}'`
}

/**
 * A table whose name has a dot may have the key of another that is in a schema. Kysely would find the other,
 * whose name is the shorter.
 */
function inOrder(tables: readonly Table[]): readonly Table[] {
  const longestFirst = tables.toSorted((a, b) => b.name.length - a.name.length)
  const byKey = new Map(longestFirst.map((table) => [keyOf(table), table]))
  return [...byKey.values()].sort((a, b) => byCodeUnits(keyOf(a), keyOf(b)))
}

function declarations(tables: readonly Table[], { types }: Catalog): string[] {
  const names = new TypeNames(reservedNames)
  const keys = tables.map((table) => ({ name: keyOf(table), type: names.take(keyOf(table)), comment: null }))
  const enums = namedEnums([...types.values()], names)
  const known: KnownTypes = { types, nameOf: (type) => enums.get(type) ?? 'string' }
  const columns = tables.map((table) => properties(table, known))

  const words = new Set(columns.flat().flatMap(({ type }) => type.split(/[<>[\]|, ]+/)))
  const unions = [...enums].flatMap(([type, name]) =>
    words.has(name) ? [unionOf(name, type.labels.toSorted(byCodeUnits))] : [],
  )
  const interfaces = tables.map((table, i) => interfaceOf(keys[i]?.type ?? '', columns[i] ?? [], table.comment))
  return [...preamble(words), ...unions, ...interfaces, interfaceOf('DB', keys, null)]
}

function namedEnums(types: readonly CatalogType[], names: TypeNames): ReadonlyMap<CatalogType, string> {
  const enums = types.filter(({ kind }) => kind === 'e').sort((a, b) => byCodeUnits(keyOf(a), keyOf(b)))
  return new Map(enums.map((type) => [type, names.take(keyOf(type))]))
}

function properties({ columns, isView }: Table, known: KnownTypes): readonly Property[] {
  return columns
    .map((column) => ({ name: column.name, type: columnType(column, isView, known), comment: column.comment }))
    .sort((a, b) => byCodeUnits(a.name, b.name))
}
