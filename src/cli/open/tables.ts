import type { Kysely } from 'kysely'
import { columnCalled } from '../../observe/filter.js'
import { hideRemedy, hiding, isHideable } from '../../observe/hideable.js'
import { jobTables, type NamedTable } from '../../observe/job-tables.js'
import { nearest } from '../../observe/nearest.js'
import { reading } from '../../observe/reading.js'
import { type JobView, jobView, type ViewColumn } from '../../observe/view.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { quotedName, type TableName } from '../../schema/names.js'
import { withDatabase } from '../database.js'
import { complain } from '../show/tell.js'
import type { Terminal } from '../terminal.js'
import { type Config, ConfigError, type ConfiguredTable, readConfig } from './config.js'

/** A job table as commands know it. */
export interface CliTable extends ConfiguredTable {
  /** As the queue's verbs are called with it. */
  readonly written: string
  readonly table: TableName
  /** This role may read it. */
  readonly isReadable: boolean
}

/** A database that is open, and its job tables. */
export interface Opened {
  readonly db: Kysely<JobDatabase>
  /** The same for tables of any kind. */
  readonly plain: Kysely<unknown>
  readonly tables: readonly CliTable[]
  readonly config: Config
  /** What went wrong on the way to the database, said with its remedy; any other error as it is. */
  readonly explained: (error: unknown) => unknown
}

/** What options say of where to work. */
export interface Place {
  readonly url?: string | undefined
  readonly config?: string | undefined
  readonly schema?: string | undefined
}

/** A table that is not there, or not told which. */
export class TableError extends Error {
  override readonly name = 'TableError'
  readonly code = 'NO_SUCH_TABLE'
}

/**
 * Opens the database that options, environment or the file of settings name, for an action on its job tables.
 * @throws DatabaseUrlError, ConnectionError, ConfigError
 */
export async function withTables<T>(
  { url, config: named, schema }: Place,
  terminal: Terminal,
  action: (opened: Opened) => Promise<T>,
  bounds?: Parameters<typeof withDatabase>[2],
): Promise<T> {
  const config = await readConfig(named)
  const chosen = url ?? (terminal.env.DATABASE_URL || config.url)
  const own = schema ?? config.schema
  const opened = async (plain: Kysely<unknown>, explained: Opened['explained']) => {
    const { db } = jobsOf(own === undefined ? plain : plain.withSchema(own), '')
    const all = await jobTables(plain)
    const unwritable = all.filter((table) => !isWritable(writtenAs(table, own)))
    for (const table of unwritable)
      complain(terminal.stderr, `${quotedName(table)} is left out: Kysely can't name it; rename it without dots`)
    const tables = all
      .filter((table) => !unwritable.includes(table))
      .map((table) => ({
        written: writtenAs(table, own).join('.'),
        table: { schema: table.schema, name: table.name },
        isReadable: table.isReadable,
      }))
    return action({ db, plain, tables, config, explained })
  }
  return withDatabase(chosen, opened, bounds)
}

/** The parts of a table's name as Kysely is given it. */
const writtenAs = ({ schema, name, isFound }: NamedTable, own: string | undefined): readonly string[] =>
  (own === undefined ? isFound : schema === own) ? [name] : [schema, name]

/** Kysely takes a dot for the end of a schema, ` as ` for an alias, and no notice of spaces beside them. */
const isWritable = (parts: readonly string[]): boolean =>
  parts.every((part) => !part.includes('.') && !part.includes(' as ') && (parts.length === 1 || part.trim() === part))

/**
 * The tables that are named, or all that the settings name, or all that there are.
 * @throws TableError
 */
export function tablesNamed({ tables, config }: Opened, given: readonly string[]): CliTable[] {
  const names = given.length > 0 ? given : [...(config.tables?.keys() ?? [])]
  const found = names.length > 0 ? names.map((name) => tableCalled(tables, name)) : readable(tables)
  const shown = [...(config.tables ?? [])].map(([name, options]) => ({ of: tableCalled(tables, name), options }))
  return [...new Set(found)].map((each) => ({ ...each, ...shown.find(({ of }) => of === each)?.options }))
}

/** Of those that nobody has named, the ones that this role may read: others of the database may be another program's. @throws TableError */
function readable(tables: readonly CliTable[]): readonly CliTable[] {
  const found = tables.filter(({ isReadable }) => isReadable)
  if (found.length > 0) return found
  throw new TableError(
    tables.length === 0
      ? 'This database has no job table: createJobTable of kysely-jobs/migrate, in a migration, makes one'
      : `This role may read no job table: grant it SELECT on ${listed(tables)}, or use another`,
  )
}

/** The one table that is meant. @throws TableError */
export function tableNamed(opened: Opened, given: string | undefined): CliTable {
  const [only, ...others] = tablesNamed(opened, given === undefined ? [] : [given])
  if (only !== undefined && others.length === 0) return only
  throw new TableError(`Which table? There are ${listed([...(only ? [only] : []), ...others])}: name one`)
}

/** By its name, `schema.name`, or either in quotes, as SQL has it. */
export function tablesCalled(tables: readonly CliTable[], given: string): readonly CliTable[] {
  const exact = tables.filter(({ written }) => written === given)
  if (exact.length > 0) return exact
  const { schema, name } = partsOf(given)
  return tables.filter(({ table }) => table.name === name && (schema === undefined || table.schema === schema))
}

/** @throws TableError */
function tableCalled(tables: readonly CliTable[], given: string): CliTable {
  const found = tablesCalled(tables, given)
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  if (only !== undefined) throw new TableError(`${given} is the name of ${listed(found)}: name it with its schema`)
  const near = nearest(
    given,
    tables.map(({ written }) => written),
  ) // prettier than all names
  const remedy = near === undefined ? `there are ${listed(tables)}` : `did you mean ${near}?`
  throw new TableError(`There is no job table ${given}; ${tables.length === 0 ? 'this database has none' : remedy}`)
}

function partsOf(given: string): { readonly schema?: string; readonly name: string } {
  const part = `"((?:[^"]|"")+)"|([^".]+)`
  const [, inQuotes, plain, inQuotes2, plain2] = new RegExp(`^(?:${part})(?:\\.(?:${part}))?$`).exec(given) ?? []
  const first = inQuotes?.replaceAll('""', '"') ?? plain ?? given
  const second = inQuotes2?.replaceAll('""', '"') ?? plain2
  return second === undefined ? { name: first } : { schema: first, name: second }
}

const listed = (tables: readonly CliTable[]): string => tables.map(({ written }) => written).join(', ')

/** How a table can be looked at: without the columns that the settings hide. @throws FilterError, ConfigError */
export async function viewOf(db: Kysely<JobDatabase>, { written, hide = [] }: CliTable): Promise<JobView> {
  const view = await jobView(db, written)
  const hidden = new Set(hide.map((name) => hideable(written, columnCalled(view, name))))
  return hiding(view, hidden)
}

/** @throws ConfigError */
function hideable(table: string, column: ViewColumn): string {
  if (isHideable(column)) return column.name
  throw new ConfigError(`tables.${table}.hide: no job can be shown without ${column.name}; ${hideRemedy}`)
}

/** So long (milliseconds) a statement that looks may take. */
const statementLimit = 20_000

/** Asks for something as it is at one moment, writing nothing. */
export function looking<T>({ db }: Opened, action: (db: Kysely<JobDatabase>, now: Date) => Promise<T>): Promise<T> {
  return reading(db, statementLimit, action)
}
