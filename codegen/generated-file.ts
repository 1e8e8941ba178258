import type { Kysely } from 'kysely'
import { type Catalog, type CatalogType, readCatalog, type Table } from './catalog.js'
import { columnType, type KnownTypes } from './column-type.js'
import { interfaceOf, type Property, unionOf } from './declarations.js'
import { preamble, reservedNames } from './definitions.js'
import { byCodeUnits, isMisread, keyOf, misread, TypeNames } from './names.js'
import { selectTables, type TableSelection } from './selection.js'

export interface GenerateSettings {
  /** The file as it is: its tables keep the names of their types. */
  readonly previous?: string | undefined
  /** Is told of what the file can't say. */
  readonly warn?: ((warning: string) => void) | undefined
}

/**
 * The Kysely interface of a live database, as the text of a TypeScript file: an interface for each table and
 * view, and `DB` with all of them. The same tables give the same text, in whatever order they were made.
 * @throws NoSuchTablesError for a pattern of the selection that matches no table
 */
export async function generateTypes<DB>(
  db: Kysely<DB>,
  selection: TableSelection = {},
  { previous, warn = () => {} }: GenerateSettings = {},
): Promise<string> {
  const catalog = await readCatalog(db)
  const tables = inOrder(selectTables(catalog.tables, selection), warn)
  for (const table of tables) {
    const warning = misread(table)
    if (warning !== undefined) warn(`${JSON.stringify(keyOf(table))}: ${warning}`)
    for (const { name } of table.columns.filter((column) => isMisread(column.name))) {
      warn(
        `${shown(table)}: Kysely reads its column ${JSON.stringify(name)} as another name: select it as sql.id(...), or rename it`,
      )
    }
  }
  const names = new TypeNames(reservedNames, previous)
  return [header(selection), ...declarations(tables, catalog, names), ''].join('\n\n').trimEnd().concat('\n')
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
function inOrder(tables: readonly Table[], warn: (warning: string) => void): readonly Table[] {
  const shortestFirst = tables.toSorted((a, b) => a.name.length - b.name.length)
  const byKey = new Map<string, Table>()
  for (const table of shortestFirst) {
    const key = keyOf(table)
    const first = byKey.get(key)
    if (first === undefined) byKey.set(key, table)
    else
      warn(`${shown(table)} is left out: its key ${JSON.stringify(key)} is that of ${shown(first)}. Rename one of them`)
  }
  return [...byKey.values()].sort((a, b) => byCodeUnits(keyOf(a), keyOf(b)))
}

function shown({ schema, name }: Table): string {
  return `${JSON.stringify(schema)}.${JSON.stringify(name)}`
}

function declarations(tables: readonly Table[], { types }: Catalog, names: TypeNames): string[] {
  const keys = tables.map((table) => {
    const key = keyOf(table)
    return { name: key, type: names.takeForTable(key), comment: misread(table) ?? null }
  })
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
  const enums = types
    .filter(({ kind }) => kind === 'e')
    .sort((a, b) => byCodeUnits(keyOf(a), keyOf(b)) || byCodeUnits(a.schema, b.schema))
  return new Map(enums.map((type) => [type, names.takeForEnum(keyOf(type))]))
}

function properties({ columns, isView }: Table, known: KnownTypes): readonly Property[] {
  return columns
    .map((column) => ({ name: column.name, type: columnType(column, isView, known), comment: column.comment }))
    .sort((a, b) => byCodeUnits(a.name, b.name))
}
