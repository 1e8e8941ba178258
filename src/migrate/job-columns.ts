import { type AlterTableBuilder, type ColumnDefinitionBuilder, sql } from 'kysely'
import { type JobColumnName, jobColumnNames, type OptionalColumnName, optionalColumnNames } from '../schema/columns.js'
import type { Engine } from '../schema/engines/engine.js'
import { quoted, quotedName, type TableName } from '../schema/names.js'
import { jobStatuses } from '../schema/statuses.js'
import { JobArchiveError, syncArchive } from './job-archive.js'
import { execute, hasFunction, literal, type MigrationDatabase } from './migration-database.js'
import { checkOptions, columnChoices, type JobColumnOptions, JobTableOptionError } from './options.js'
import { dropUnusedType, findOrCreateStatusType } from './status-type.js'
import { changeTable, type Target } from './target.js'

/** A column as the schema builder takes it. */
interface JobColumn extends Definition {
  readonly name: JobColumnName | OptionalColumnName
}

interface Definition {
  readonly type: Parameters<AlterTableBuilder['addColumn']>[1]
  readonly define: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
}

/** The columns of a table that is a whole job table: the nine, then the optional ones asked for. */
export async function jobColumns(
  db: MigrationDatabase,
  schema: string,
  { name: engine, enums }: Pick<Engine, 'name' | 'enums'>,
  { id = 'uuid', status = enums ? 'enum' : 'text', columns = [] }: JobColumnOptions,
): Promise<JobColumn[]> {
  if (status === 'enum' && !enums) throw new JobTableOptionError(`status: 'enum': ${engine} has no enums; take 'text'`)
  const statusType = status === 'enum' ? await findOrCreateStatusType(db, schema) : undefined
  const definitions = { ...plainColumns, id: await idColumn(db, id), status: statusColumn(statusType) }
  return [...jobColumnNames, ...new Set(columns)].map((name) => ({ name, ...definitions[name] }))
}

/**
 * Adds the columns that make a table a job table; those it has stay as they are. Rows that are there become jobs,
 * due at once: where they must not run, update them in the same migration. Indexes and triggers are
 * `createJobIndexes` and `createJobTriggers`.
 *
 * @example await addJobColumns(db, 'orders', { columns: ['priority'] })
 * @throws JobTableOptionError, JobTableNameError, JobStatusTypeError, NoSuchTableError
 */
export async function addJobColumns(
  db: MigrationDatabase,
  name: string,
  options: JobColumnOptions = {},
): Promise<void> {
  checkOptions(options, { ...columnChoices, engine: [] })
  const add = async (target: Target) => {
    const { db: plain, table, catalog, engine } = target
    const present = new Set(catalog.columns.map((column) => column.name))
    if (!present.has('id')) refuseIdentity(target, options)
    for (const { name: column, type, define } of await jobColumns(plain, table.schema, engine, options)) {
      if (present.has(column)) continue
      const altered = plain.schema.withSchema(table.schema).alterTable(table.name)
      const defined = (it: ColumnDefinitionBuilder) => (column === 'id' ? unique(define(it), target) : define(it))
      await altered.addColumn(column, type, defined).execute()
    }
    if (!present.has('id')) await addSpreadKey(target)
    if (catalog.archive !== null) await syncArchive({ db: plain, table })
  }
  await changeTable(db, name, add, options.engine)
}

/** As jobs are updated by their id. Of a table in parts no key is without the columns that say in which part a row is. */
function unique(
  id: ColumnDefinitionBuilder,
  { catalog: { kind, indexes }, placement }: Target,
): ColumnDefinitionBuilder {
  if (placement.kind === 'distributed') return id
  if (!indexes.some(({ primary }) => primary)) return id.primaryKey()
  return kind === 'p' ? id : id.unique()
}

/** The key of a distributed table, of which its column is the first. */
async function addSpreadKey({ db, table, catalog: { indexes }, placement }: Target): Promise<void> {
  if (placement.kind !== 'distributed') return
  const key = `(${quoted(placement.by)}, ${quoted('id')})`
  const kind = indexes.some(({ primary }) => primary) ? 'unique' : 'primary key'
  await execute(db, `alter table ${quotedName(table)} add ${kind} ${key}`)
}

/** @throws JobTableOptionError where Citus adds no column that is counted, as the table is on its nodes */
function refuseIdentity({ table, placement, engine }: Target, { id }: JobColumnOptions): void {
  if (placement.kind === 'local' || (id !== 'bigint' && id !== 'int')) return
  throw new JobTableOptionError(
    `id: '${id}': ${engine.name} adds no column that is counted to ${quotedName(table)}, which is on its nodes: take 'uuid', or add the column before the table is distributed`,
  )
}

/** Columns that many tables have for themselves. */
const sharedColumns = ['id', 'created_at', 'updated_at'] as const

export interface DropJobColumnsOptions {
  /** What else to drop: optional columns, and `id`, `created_at`, `updated_at`, which many tables have for themselves. */
  readonly columns?: readonly (OptionalColumnName | (typeof sharedColumns)[number])[]
}

/** The columns that no table has but a job table. */
const ownColumns = ['status', 'last_error', 'attempts_count', 'locked_at', 'locked_by', 'run_at'] as const

/**
 * Takes the job columns from a table: the six that only a job table has, and those named. Their indexes go with
 * them, and the enum with its last column.
 *
 * @example await dropJobColumns(db, 'orders', { columns: ['priority'] })
 * @throws JobArchiveError where it has an archive; JobTableOptionError, JobTableNameError, NoSuchTableError
 */
export async function dropJobColumns(
  db: MigrationDatabase,
  name: string,
  options: DropJobColumnsOptions = {},
): Promise<void> {
  checkOptions(options, { columns: [...optionalColumnNames, ...sharedColumns] })
  await changeTable(db, name, async ({ db: plain, table, catalog }) => {
    if (catalog.archive !== null) {
      throw new JobArchiveError(
        `${quotedName(table)} has an archive: dropJobArchive drops it first, with all jobs in it, or rename it`,
      )
    }
    const drops = [...ownColumns, ...(options.columns ?? [])].map((column) => `drop column if exists ${quoted(column)}`)
    await execute(plain, `alter table ${quotedName(table)} ${drops.join(', ')}`)
    await dropUnusedType(plain, catalog)
  })
}

const nullable = (column: ColumnDefinitionBuilder) => column
const zeroByDefault = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)
const nowByDefault = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(sql`now()`)

const plainColumns: Readonly<Record<Exclude<JobColumnName | OptionalColumnName, 'id' | 'status'>, Definition>> = {
  created_at: { type: 'timestamptz', define: nowByDefault },
  updated_at: { type: 'timestamptz', define: nowByDefault },
  last_error: { type: 'text', define: nullable },
  attempts_count: { type: 'integer', define: zeroByDefault },
  locked_at: { type: 'timestamptz', define: nullable },
  locked_by: { type: 'uuid', define: nullable },
  run_at: { type: 'timestamptz', define: nowByDefault },
  priority: { type: 'int2', define: zeroByDefault },
  max_attempts: { type: 'integer', define: nullable },
  result: { type: 'jsonb', define: nullable },
  started_at: { type: 'timestamptz', define: nullable },
  finished_at: { type: 'timestamptz', define: nullable },
  errors: { type: 'jsonb', define: nullable },
}

/** @param type the enum; without one it is a text with a CHECK */
function statusColumn(type: TableName | undefined): Definition {
  const initial = sql.raw(literal('job_status_not_started'))
  const known = sql.raw(jobStatuses.map(literal).join(', '))
  const define = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(initial)
  if (type !== undefined) return { type: sql.raw(quotedName(type)), define }
  return { type: 'text', define: (column) => define(column).check(sql`status in (${known})`) }
}

/** Unique also where another column is the primary key: jobs are updated by `id`. */
async function idColumn(db: MigrationDatabase, type: NonNullable<JobColumnOptions['id']>): Promise<Definition> {
  if (type === 'text') return { type, define: (column) => column.notNull() }
  if (type !== 'uuid') {
    return { type: type === 'int' ? 'integer' : type, define: (column) => column.generatedByDefaultAsIdentity() }
  }
  // In the order of time, version 7 keeps inserts on the last page of the primary key's index.
  const make = (await hasFunction(db, 'uuidv7()')) ? sql`uuidv7()` : sql`gen_random_uuid()`
  return { type, define: (column) => column.notNull().defaultTo(make) }
}
