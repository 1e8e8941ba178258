import type { QueryExecutorProvider } from 'kysely'
import { archiveOf, type JobArchive } from './archive.js'
import { type Catalog, type CatalogColumn, readCatalog } from './catalog.js'
import { type JobColumns, jobColumnNames, optionalColumnNames } from './columns.js'
import { type Home, homeOf } from './engine.js'
import type { EngineOptions } from './engines/engine.js'
import { adviceOnEngine, insertTriggerOf } from './engines/lacks.js'
import { identifyTable, NoSuchTableError } from './identify.js'
import { jobsOf } from './job-database.js'
import type { ReadonlyQueryable } from './job-table.js'
import { distributedKey, keyFlaw, keyOf } from './key.js'
import { hasIndex } from './known-indexes.js'
import {
  dueOrder,
  insertTriggerName,
  keepArchiveName,
  quoted,
  quotedName,
  type TableName,
  updateTriggerName,
} from './names.js'
import { camelCase } from './row.js'
import { type JobStatus, jobStatuses, pendingStatuses, type SeedJobStatus } from './statuses.js'

/** A job table as it really is. */
export interface JobTableDescription {
  readonly table: TableName
  /** The type of each column, the user's own included, as Postgres writes it: `timestamp with time zone`. */
  readonly columns: ReadonlyMap<string, string>
  /** The columns that may be null. */
  readonly nullable: ReadonlySet<string>
  /** Whether `status` can hold `job_status_cancelled`, the one value the seed's tables lack. */
  readonly holdsCancelled: boolean
  /** Whether the role that asks may delete rows. */
  readonly mayDelete: boolean
  /**
   * What tells a row from all others where its id alone does not (a partitioned table, or one with a primary key of several
   * columns), as the raw verbs take it; undefined where the id does.
   */
  readonly key: string | undefined
  /** The table of its finished jobs, which `createJobArchive` makes; undefined where there is none. */
  readonly archive: JobArchive | undefined
  /** What the server can do, and where it has the table. */
  readonly home: Home
  /** What the table lacks and does not need, a sentence each, with its remedy. */
  readonly advice: readonly string[]
}

/** A table in which jobs can't be kept; the message lists every column that is missing or has the wrong type. */
export class JobTableError extends Error {
  override readonly name = 'JobTableError'
  readonly code = 'NOT_A_JOB_TABLE'
}

/**
 * Reads from the catalog whether a table is a job table, and what it can do beyond that.
 * @param engine what the user says of the engine
 * @throws CatalogError, JobTableError, NoSuchTableError
 * @example const { advice } = await inspectJobTable(db, 'send_mail_jobs')
 */
export async function inspectJobTable<DB>(
  handle: ReadonlyQueryable<DB>,
  table: string,
  engine?: EngineOptions,
): Promise<JobTableDescription> {
  const { db } = jobsOf(handle, table)
  const name = await identifyTable(db, table)
  const catalog = await readJobTable(db.withoutPlugins(), name)
  const home = await homeOf(db, name, catalog, engine)
  return {
    table: name,
    columns: new Map(catalog.columns.map((column) => [column.name, column.type])),
    nullable: new Set(catalog.columns.filter(({ notNull }) => !notNull).map(({ name }) => name)),
    holdsCancelled: heldStatuses(catalog).includes('job_status_cancelled'),
    mayDelete: catalog.mayDelete,
    key: home.placement.kind === 'distributed' ? distributedKey(home.placement.by) : keyOf(catalog)?.key,
    archive: archiveOf(catalog, name),
    home,
    advice: adviceOn(catalog, name, home),
  }
}

/**
 * The catalog's view of a table in which jobs can be kept.
 * @throws JobTableError, NoSuchTableError
 */
export async function readJobTable(db: QueryExecutorProvider, table: TableName): Promise<Catalog> {
  const catalog = await readCatalog(db, table)
  if (catalog === undefined) {
    throw new NoSuchTableError(`The table ${shown(table)} is no longer there: it was dropped or renamed`)
  }
  const flaws = flawsOf(catalog, table)
  if (flaws.length === 0) return catalog
  const isMissing = flaws.some((flaw) => flaw.endsWith('is missing'))
  const remedy = isMissing ? '. addJobColumns, in a migration, adds what is missing' : ''
  const text = `${shown(table)} is not a job table: ${flaws.join('; ')}${remedy}${zoneRemedy(catalog, table)}`
  throw new JobTableError(text)
}

/** What gives time zones to the columns that lack them, in one rewrite of the table; empty where none does. */
export function zoneRemedy({ columns }: Catalog, table: TableName): string {
  const zoneless = columns.filter(({ name, base }) => base === 'timestamp' && rules[name]?.types === times.types)
  if (zoneless.length === 0) return ''
  const changes = zoneless.flatMap(({ name, default: expression }) => {
    const column = `alter column ${quoted(name)}`
    const retyped = `${column} type timestamptz using ${quoted(name)} at time zone 'UTC'`
    // Such a default would be cast by the time zone of whoever inserts; now() is taken over as it is.
    const isCast = /time ?zone/i.test(expression ?? '')
    return isCast ? [retyped, `${column} set default (${expression}) at time zone 'UTC'`] : [retyped]
  })
  // Postgres changes the type of no column that the condition of a trigger names.
  const isTold = zoneless.some(({ name }) => name === 'run_at')
  const dropped = `drop trigger if exists ${quoted(updateTriggerName(table))} on ${quotedName(table)}; `
  const anew = isTold ? ', with createJobTriggers behind it where the table has triggers' : ''
  return `. Without a time zone these mean another moment to each session. If they hold UTC, as Prisma writes it, this in a migration mends them${anew} (in Prisma's schema: @db.Timestamptz): ${isTold ? dropped : ''}alter table ${quotedName(table)} ${changes.join(', ')}`
}

interface Rule {
  readonly types: readonly string[]
  /** The types as people call them. */
  readonly wanted: string
  /** The most characters the queue writes. */
  readonly length?: number
  readonly nullable?: true
  readonly notNull?: true
}

const texts = { types: ['text', 'varchar'], wanted: 'text' } as const
const times = { types: ['timestamptz'], wanted: 'timestamp with time zone' } as const
const integers = { types: ['int4', 'int2', 'int8'], wanted: 'integer' } as const

/** `result` is missing here: it may be of any type. */
const rules: Readonly<Record<string, Rule>> = {
  id: { types: ['uuid', 'int8', 'int4', 'text', 'varchar'], wanted: 'uuid, bigint, integer or text' },
  // Never read by us, and maybe the key of partitions, whose type can't be changed.
  created_at: { ...times, types: ['timestamptz', 'timestamp'] },
  updated_at: times,
  status: { ...texts, wanted: 'an enum of the job statuses, or text', length: 22 },
  last_error: { ...texts, length: Number.POSITIVE_INFINITY, nullable: true },
  attempts_count: integers,
  locked_at: { ...times, nullable: true },
  locked_by: { types: ['uuid', ...texts.types], wanted: 'uuid or text', length: 36, nullable: true },
  run_at: times,
  // A null would sort before every level, and the fetch, which goes level by level, would end there.
  priority: { ...integers, wanted: 'smallint or integer', notNull: true },
  max_attempts: integers,
  started_at: times,
  finished_at: times,
  errors: { types: ['jsonb', 'json'], wanted: 'jsonb' },
} satisfies Record<Exclude<keyof JobColumns, 'result'>, Rule>

/** Everything that keeps a table from being a job table. */
export function flawsOf(catalog: Catalog, table: TableName): string[] {
  if (catalog.kind === 'v' || catalog.kind === 'm') return ['it is a view']
  if (catalog.kind !== 'r' && catalog.kind !== 'p') return ['it is no ordinary table']
  if (catalog.isArchive) return ['it is the archive of one']
  const columns = new Map(catalog.columns.map((column) => [column.name, column]))
  const missing = jobColumnNames
    .filter((name) => !columns.has(name))
    .map((name) => {
      const shownAs = camelCase(name)
      if (!columns.has(shownAs)) return `column '${name}' is missing`
      return `column '${shownAs}' must be called '${name}' (CamelCasePlugin shows it as '${shownAs}')`
    })
  const wrong = [...jobColumnNames, ...optionalColumnNames].flatMap((name) => columnFlaws(columns.get(name)))
  const key = columns.has('id') && keyOf(catalog) === undefined ? [keyFlaw(table, catalog)] : []
  return [...missing, ...wrong, ...(columns.has('status') ? statusFlaws(catalog) : []), ...key]
}

function columnFlaws(column: CatalogColumn | undefined): string[] {
  const rule = column && rules[column.name]
  if (column === undefined || rule === undefined) return []
  const { name, type, base, length, notNull, labels } = column
  const serves = rule.types.includes(base) || (name === 'status' && labels !== null)
  if (!serves) return [`column '${name}' is ${type}, must be ${rule.wanted}`]
  const flaws = [
    length !== null && length < (rule.length ?? 0) && `is ${type}, too short: must be ${rule.wanted}`,
    rule.nullable && notNull && 'must be nullable',
    rule.notNull && !notNull && 'must be NOT NULL',
  ]
  return flaws.filter(Boolean).map((flaw) => `column '${name}' ${flaw}`)
}

/** The statuses that every job table must be able to hold. */
export const seedJobStatuses = jobStatuses.filter(
  (status): status is SeedJobStatus => status !== 'job_status_cancelled',
)

function statusFlaws(catalog: Catalog): string[] {
  const held = heldStatuses(catalog)
  const lacking = seedJobStatuses.filter((status) => !held.includes(status))
  return lacking.length === 0 ? [] : [`column 'status' can't hold ${lacking.map((status) => `'${status}'`).join(', ')}`]
}

/** The statuses an enum has, or that a text's CHECK lists; a text without such a list holds them all. */
export function heldStatuses({ columns, statusChecks }: Catalog): readonly JobStatus[] {
  const labels = columns.find(({ name }) => name === 'status')?.labels
  const lists = statusChecks.filter((check) => names(check, pendingStatuses[0]) && names(check, 'job_status_succeeded'))
  return jobStatuses.filter(
    (status) => (labels?.includes(status) ?? true) && lists.every((list) => names(list, status)),
  )
}

/** Whether an SQL text holds a status as a literal. */
function names(text: string, status: JobStatus): boolean {
  return text.includes(`'${status}'`)
}

function adviceOn(catalog: Catalog, table: TableName, { engine, placement }: Home): string[] {
  const { columns, triggers, archive } = catalog
  const dueColumns = columns.some(({ name }) => name === 'priority') ? ['priority', dueOrder] : ['run_at']
  const areFound = engine.partialIndexes
    ? dueColumns.every((column) => hasIndex(catalog, column, pendingStatuses)) &&
      hasIndex(catalog, 'locked_by', ['job_status_running'])
    : hasIndex(catalog, 'status', [])
  const lacking = [insertTriggerName(table), updateTriggerName(table)].filter((name) => !triggers.includes(name))
  const sentences = [
    placement.kind !== 'distributed' && // which has one by its column and the id
      !hasIndex(catalog, 'id', []) &&
      'has no index that begins with id, by which jobs are updated: make id its primary key',
    !areFound &&
      'lacks an index by which due or running jobs are found, so each fetch reads the table: createJobIndexes, in a migration, makes them',
    lacking.length > 0 &&
      insertTriggerOf(engine) !== 'none' &&
      `has no enabled trigger ${lacking.join(' nor ')}, so new jobs are found by polling only: createJobTriggers, in a migration, makes it`,
  ]
  if (archive?.mayKeep === false) sentences.push(keepAdvice(table))
  sentences.push(...adviceOnEngine(engine))
  return sentences.filter(Boolean).map((sentence) => `${shown(table)} ${sentence}`)
}

function keepAdvice(table: TableName): string {
  const keep = `${quotedName({ schema: table.schema, name: keepArchiveName(table) })}()`
  return `has an archive whose partitions this role may not have made and dropped: grant execute on function ${keep}, or let pg_cron call it`
}

function shown({ schema, name }: TableName): string {
  return schema === 'public' ? name : `${schema}.${name}`
}
