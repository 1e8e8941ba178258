import type { Job, JobTableName } from '../schema/job-table.js'
import { shown } from '../schema/shown.js'
import type { Authorize } from './access.js'

/** How a table is shown. `Row` is a job as Kysely selects it. */
export interface TableOptions<Row> {
  /** Default: the table's name. */
  readonly title?: string | undefined
  /** A page of yours about a job: an address, or undefined for none. It is given the job's columns as Postgres writes them, as texts. */
  readonly link?: ((job: { readonly [Column in keyof Row]: string | null }) => string | undefined) | undefined
  /** The own columns that a list shows, in this order. Default: the first four. */
  readonly columns?: readonly (keyof Row & string)[] | undefined
  /**
   * Columns of the rows that foreign keys point to, by which jobs can be filtered: `{ user_id: ['email', 'plan'] }`. Who filters by a column can find
   * out what is in it. Default: of each row the one that is shown, its name or the like.
   */
  readonly joined?: { readonly [Column in keyof Row & string]?: readonly string[] } | undefined
  /** Columns whose values never leave the database: pages show that there is one. */
  readonly hide?: readonly (keyof Row & string)[] | undefined
}

/** The tables by their names, or by their names with how they are shown. */
type Tables<DB> =
  | readonly JobTableName<DB>[]
  | { readonly [Table in JobTableName<DB>]?: TableOptions<Job<DB, Table & keyof DB>> }

export interface DashboardOptions<DB> {
  /** The job tables that it is about; no other can be reached. */
  readonly tables: Tables<DB>
  /** Who may see it, and do what: asked for each request. There is no default: `() => 'all'` is for who can be reached by nobody else. */
  readonly authorize: Authorize
  /** Where it stands in your app, as `/jobs`. Default `/`. */
  readonly basePath?: string | undefined
  /** What the pages are called. Default "Jobs". */
  readonly title?: string | undefined
  /** Whatever `authorize` says, nothing can be changed. Default false. */
  readonly readOnly?: boolean | undefined
  /** Told of each action after it was done, for a log: who did what, to which jobs. Its failure is a warning of the process. */
  readonly onAction?: ((event: ActionEvent) => unknown) | undefined
}

/** Something was changed by a page. */
export interface ActionEvent {
  /** As `authorize` named them. */
  readonly user: string | undefined
  readonly action: string
  readonly table: string
  /** What it was done to: a job's id, a schedule's name, a key; of bulk actions the state and filters. */
  readonly of: string
  /** How many jobs were changed, where it was jobs. */
  readonly changed?: number
}

/** Options no dashboard can work with. */
export class DashboardOptionError extends TypeError {
  override readonly name = 'DashboardOptionError'
  readonly code = 'INVALID_OPTION'
}

/** A table as the pages know it. */
export interface ListedTable {
  readonly name: string
  readonly title: string
  readonly link: ((job: Readonly<Record<string, string | null>>) => string | undefined) | undefined
  readonly columns: readonly string[] | undefined
  readonly joined: Readonly<Record<string, readonly string[] | undefined>>
  readonly hide: ReadonlySet<string>
}

/** The options with their defaults. */
export interface Settings {
  readonly tables: ReadonlyMap<string, ListedTable>
  readonly authorize: Authorize
  /** Without a slash at the end: empty where it stands at the top. */
  readonly basePath: string
  readonly title: string
  readonly readOnly: boolean
  readonly onAction: ((event: ActionEvent) => unknown) | undefined
}

const optionNames = ['tables', 'authorize', 'basePath', 'title', 'readOnly', 'onAction']
const tableOptionNames = ['title', 'link', 'columns', 'joined', 'hide']

/** @throws DashboardOptionError */
export function settingsOf(options: object): Settings {
  const given = (options ?? {}) as Readonly<Record<string, unknown>> // read as what it may be
  refuseUnknown(given, optionNames, '')
  const { authorize, basePath = '/', title = 'Jobs', readOnly = false, onAction } = given
  if (typeof authorize !== 'function')
    throw invalid(
      `authorize: ${shown(authorize)} is invalid; give a function of the request that says who may see and change jobs, as in authorize: (request) => isAdmin(request) && 'all'`,
    )
  if (typeof basePath !== 'string' || !/^\/(?!\/)[^?#\s\\]*$/.test(basePath))
    throw invalid(`basePath: ${shown(basePath)} is invalid; give a path, as in '/jobs'`)
  if (typeof title !== 'string' || title.trim() === '') throw invalid(`title: ${shown(title)} is invalid; give a text`)
  if (typeof readOnly !== 'boolean') throw invalid(`readOnly: ${shown(readOnly)} is invalid; give true or false`)
  if (onAction !== undefined && typeof onAction !== 'function')
    throw invalid(`onAction: ${shown(onAction)} is invalid; give a function`)
  return {
    tables: listedTables(given.tables),
    authorize: authorize as Authorize, // what it answers is checked each time
    basePath: new URL(basePath, 'http://localhost').pathname.replace(/\/+$/, ''), // as requests have it
    title,
    readOnly,
    onAction: onAction as Settings['onAction'], // a function
  }
}

function listedTables(tables: unknown): ReadonlyMap<string, ListedTable> {
  const entries = Array.isArray(tables) ? tables.map((name) => [name, {}] as const) : Object.entries(tables ?? {})
  if (typeof tables !== 'object' || entries.length === 0)
    throw invalid(`tables: ${shown(tables)} is invalid; give the names of the job tables, as in tables: ['mail_jobs']`)
  return new Map(entries.map(([name, options]) => [name, listedTable(name, options)]))
}

function listedTable(name: unknown, options: unknown): ListedTable {
  if (typeof name !== 'string' || name === '') throw invalid(`tables: ${shown(name)} is invalid; give a table's name`)
  if (typeof options !== 'object' || options === null)
    throw invalid(`tables.${name}: ${shown(options)} is invalid; give its options, {} for none`)
  refuseUnknown(options, tableOptionNames, `tables.${name}.`)
  const { title = name, link, columns, joined = {}, hide = [] } = options as TableOptions<Record<string, never>> // checked below
  if (typeof title !== 'string') throw invalid(`tables.${name}.title: ${shown(title)} is invalid; give a text`)
  if (link !== undefined && typeof link !== 'function')
    throw invalid(`tables.${name}.link: ${shown(link)} is invalid; give a function of the job`)
  if (typeof joined !== 'object' || joined === null || Array.isArray(joined))
    throw invalid(
      `tables.${name}.joined: ${shown(joined)} is invalid; give columns by foreign keys: { user_id: ['email'] }`,
    )
  const ofJoined = Object.entries(joined).map(([column, list]) => [`joined.${column}`, list] as const)
  for (const [option, list] of [['columns', columns] as const, ['hide', hide] as const, ...ofJoined])
    if (list !== undefined && !(Array.isArray(list) && list.every((column) => typeof column === 'string')))
      throw invalid(`tables.${name}.${option}: ${shown(list)} is invalid; give names of columns`)
  return { name, title, link, columns, joined, hide: new Set(hide) }
}

function refuseUnknown(options: object, known: readonly string[], of: string): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw invalid(`${unknown.map((name) => `${of}${name}`).join(', ')}: no such option; there are ${known.join(', ')}`)
}

const invalid = (text: string) => new DashboardOptionError(text)
