import type { Kysely } from 'kysely'
import { readableArchiveOf } from '../schema/archive.js'
import type { Catalog, CatalogColumn } from '../schema/catalog.js'
import { jobColumnNames, optionalColumnNames } from '../schema/columns.js'
import { type Home, homeOf } from '../schema/engine.js'
import { identifyTable } from '../schema/identify.js'
import { heldStatuses, readJobTable } from '../schema/inspect.js'
import type { JobDatabase } from '../schema/job-database.js'
import { distributedKey, keyOf } from '../schema/key.js'
import { quoted, type TableName } from '../schema/names.js'
import type { JobStatus } from '../schema/statuses.js'
import { type ColumnKind, kindOf } from './column-kind.js'
import { type IndexSight, type JoinedSight, type ReferenceSight, readSights, type Sights } from './view-catalog.js'

/** A job table, and its archive, as people look at them: by names alone, whatever the types of a program say. */
export interface JobView {
  /** As the program calls the table, for the queue's verbs. */
  readonly name: string
  /** What is looked at: the table, and its archive where it has one that this role may read. */
  readonly places: readonly [ViewedTable, ...ViewedTable[]]
  /** All columns of the job table, in its order. */
  readonly columns: readonly ViewColumn[]
  /** What tells a row from all others, in SQL, where its id does not. */
  readonly key: string | undefined
  /** The columns that the key is made of, also where they are not shown. */
  readonly keyed: readonly ViewColumn[]
  readonly home: Home
  /** The one of them by whose values the table is spread over nodes, where it is. */
  readonly spread: ViewColumn | undefined
  /** The statuses that `status` can hold. */
  readonly statuses: readonly JobStatus[]
}

/** A table in which jobs are found. */
export interface ViewedTable {
  readonly table: TableName
  readonly isArchive: boolean
  /** The columns of the view that it has, and of the same type. */
  readonly columns: ReadonlySet<string>
  readonly indexes: readonly IndexSight[]
}

/** A column of a job table. */
export interface ViewColumn {
  readonly name: string
  /** As people write it: `character varying(36)`. */
  readonly type: string
  /** The type in SQL to which a filter's value is cast: of a domain the one under it, and without a length, which would cut it. */
  readonly cast: string
  readonly kind: ColumnKind
  /** The values of an enum, in order. */
  readonly labels: readonly string[]
  readonly nullable: boolean
  /** The queue writes it, or claims by it: it is none of the user's own. */
  readonly isOfQueue: boolean
  /** It can't be written. */
  readonly isGenerated: boolean
  readonly hasDefault: boolean
  /** Its default comes from a sequence. */
  readonly isNumbered: boolean
  readonly isDomain: boolean
  /** Its values have an order. */
  readonly isOrdered: boolean
  /** Some index of the job table begins with it. */
  readonly isIndexed: boolean
  /** What it points to. */
  readonly references: Reference | undefined
  /** It is a column of the row that this leads to; undefined: of jobs. */
  readonly through: Through | undefined
}

/** The foreign key by which a row of another table is found. */
export interface Through {
  /** The column of jobs. */
  readonly from: string
  readonly table: TableName
  /** The column that it points to. */
  readonly column: string
}

/** The one column of another table that a foreign key points to. */
export interface Reference {
  readonly table: TableName
  readonly column: string
  /** Its type, in SQL. */
  readonly type: string
  /** A column that says what a row is; undefined: none does, or this role may not read it. */
  readonly label: string | undefined
  /** The columns of the row that it points to, which this role may read. */
  readonly columns: readonly ViewColumn[]
}

/**
 * Reads from the catalog how a job table, and its archive, can be looked at.
 * @throws JobTableError, NoSuchTableError
 */
export async function jobView(db: Kysely<JobDatabase>, name: string): Promise<JobView> {
  const table = await identifyTable(db, name)
  const catalog = await readJobTable(db.withoutPlugins(), table)
  const archive = readableArchiveOf(catalog, table, 'all')
  const sights = await readSights(db, table, archive?.table)
  const home = await homeOf(db, table, catalog)
  const by = home.placement.kind === 'distributed' ? home.placement.by : undefined
  const { key, names: keyNames = [] } =
    by === undefined ? { ...keyOf(catalog) } : { key: distributedKey(by), names: [by, 'id'] }
  const columns = catalog.columns.map((column) => viewed(column, sights))
  const all = { table, isArchive: false, columns: new Set(columns.map(({ name }) => name)), indexes: sights.indexes }
  return {
    name,
    places: archive ? [all, archivePlace(archive.table, catalog, sights)] : [all],
    columns,
    key,
    keyed: key === undefined ? [] : columns.filter(({ name }) => keyNames.includes(name)),
    home,
    spread: columns.find(({ name }) => name === by),
    statuses: heldStatuses(catalog),
  }
}

/** A column that has got another type there is left out, as one value can't be compared with both. */
function archivePlace(table: TableName, { columns, archive }: Catalog, { archiveIndexes }: Sights): ViewedTable {
  const types = new Map(archive?.columns.map(({ name, type }) => [name, type]))
  const same = columns.filter(({ name, type }) => types.get(name) === type).map(({ name }) => name)
  return { table, isArchive: true, columns: new Set(same), indexes: archiveIndexes }
}

const ofQueue: ReadonlySet<string> = new Set([...jobColumnNames, ...optionalColumnNames])

function viewed(column: CatalogColumn, { columns, references, indexes }: Sights): ViewColumn {
  const { name, type, base, baseSchema, labels, notNull, generated } = column
  const sight = columns.find((each) => each.name === name)
  const reference = references.find((each) => each.column === name)
  return {
    name,
    type,
    cast: `${quoted(baseSchema)}.${quoted(base)}`,
    kind: kindOf(column, sight?.category ?? ''),
    labels: labels ?? [],
    nullable: !notNull,
    isOfQueue: ofQueue.has(name),
    isGenerated: generated || sight?.identity === 'a',
    hasDefault: column.default !== null || Boolean(sight?.identity),
    isNumbered: Boolean(sight?.identity) || /^nextval\(/.test(column.default ?? ''),
    isDomain: sight?.isDomain ?? false,
    isOrdered: sight?.isOrdered ?? false,
    isIndexed: indexes.some(({ names: [first] }) => first === name),
    references: reference && pointedTo(reference),
    through: undefined,
  }
}

function pointedTo({ column: from, schema, table: name, to, type, labels, columns }: ReferenceSight): Reference {
  const through = { from, table: { schema, name }, column: to }
  return {
    table: through.table,
    column: to,
    type,
    label: labels[0],
    columns: columns.map((each) => joined(each, through)),
  }
}

/** A column of another table, which is read alone. */
function joined(sight: JoinedSight, through: Through): ViewColumn {
  const { name, type, base, baseSchema, labels, isDomain, isOrdered } = sight
  return {
    ...{ name, type, labels: labels ?? [], isDomain, isOrdered, through },
    cast: `${quoted(baseSchema)}.${quoted(base)}`,
    kind: kindOf(sight, sight.category),
    nullable: true,
    isOfQueue: false,
    isGenerated: true,
    hasDefault: false,
    isNumbered: false,
    isIndexed: false,
    references: undefined,
  }
}
