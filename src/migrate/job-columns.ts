import { type AlterTableBuilder, type ColumnDefinitionBuilder, sql } from 'kysely'
import { type JobColumnName, jobColumnNames, type OptionalColumnName, optionalColumnNames } from '../schema/columns.js'
import { quoted, quotedName, type TableName } from '../schema/names.js'
import { jobStatuses } from '../schema/statuses.js'
import { catalogQuery, execute, inTransaction, literal, type MigrationDatabase } from './migration-database.js'
import { checkOptions, type JobColumnOptions } from './options.js'
import { dropUnusedType, findOrCreateStatusType, statusTypeOf } from './status-type.js'
import { existingTarget } from './target.js'

/** A column as the schema builder takes it. */
export interface JobColumn {
  readonly name: JobColumnName | OptionalColumnName
  readonly type: Parameters<AlterTableBuilder['addColumn']>[1]
  readonly build: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
}

/** The columns of a table that is a whole job table: the nine, then the optional ones asked for. */
export async function jobColumns(
  db: MigrationDatabase,
  schema: string,
  { id = 'uuid', status = 'enum', columns = [] }: JobColumnOptions,
): Promise<JobColumn[]> {
  const statusType = status === 'enum' ? quotedName(await findOrCreateStatusType(db, schema)) : 'text'
  const definitions = {
    ...plainColumns,
    id: await idColumn(db, id),
    status: statusColumn(statusType, status),
  }
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
  checkOptions(options, ['id', 'status', 'columns'])
  await inTransaction(db, async (trx) => {
    const { db: plain, table } = await existingTarget(trx, name)
    const present = await columnsOf(plain, table)
    const missing = (await jobColumns(plain, table.schema, options)).filter((column) => !present.names.has(column.name))
    for (const column of missing) {
      await plain.schema
        .withSchema(table.schema)
        .alterTable(table.name)
        .addColumn(column.name, column.type, (builder) =>
          column.name === 'id' ? unique(column.build(builder), present) : column.build(builder),
        )
        .execute()
    }
  })
}

/** As jobs are updated by their id. A partitioned table can have no key without the columns that it is partitioned by. */
function unique(id: ColumnDefinitionBuilder, table: Awaited<ReturnType<typeof columnsOf>>): ColumnDefinitionBuilder {
  if (!table.primaryKey) return id.primaryKey()
  return table.isPartitioned ? id : id.unique()
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
 * @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 */
export async function dropJobColumns(
  db: MigrationDatabase,
  name: string,
  options: DropJobColumnsOptions = {},
): Promise<void> {
  checkOptions(options, ['columns'], [...optionalColumnNames, ...sharedColumns])
  await inTransaction(db, async (trx) => {
    const { db: plain, table } = await existingTarget(trx, name)
    const statusType = await statusTypeOf(plain, table)
    const drops = [...ownColumns, ...(options.columns ?? [])].map((column) => `drop column if exists ${quoted(column)}`)
    await execute(plain, `alter table ${quotedName(table)} ${drops.join(', ')}`)
    await dropUnusedType(plain, statusType)
  })
}

type Definition = Omit<JobColumn, 'name'>

const timestamp = 'timestamptz'
const nullable = (column: ColumnDefinitionBuilder) => column
const nowByDefault = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(sql`now()`)

const plainColumns: Readonly<Record<Exclude<JobColumnName | OptionalColumnName, 'id' | 'status'>, Definition>> = {
  created_at: { type: timestamp, build: nowByDefault },
  updated_at: { type: timestamp, build: nowByDefault },
  last_error: { type: 'text', build: nullable },
  attempts_count: { type: 'integer', build: (column) => column.notNull().defaultTo(0) },
  locked_at: { type: timestamp, build: nullable },
  locked_by: { type: 'uuid', build: nullable },
  run_at: { type: timestamp, build: nowByDefault },
  priority: { type: 'int2', build: (column) => column.notNull().defaultTo(0) },
  max_attempts: { type: 'integer', build: nullable },
  result: { type: 'jsonb', build: nullable },
  started_at: { type: timestamp, build: nullable },
  finished_at: { type: timestamp, build: nullable },
  errors: { type: 'jsonb', build: nullable },
}

function statusColumn(type: string, kind: 'enum' | 'text'): Definition {
  const initial = sql.raw(literal('job_status_not_started'))
  const known = sql.raw(jobStatuses.map(literal).join(', '))
  return {
    type: sql.raw(type),
    build: (column) => {
      const plain = column.notNull().defaultTo(initial)
      return kind === 'enum' ? plain : plain.check(sql`status in (${known})`)
    },
  }
}

/** Unique also where another column is the primary key: jobs are updated by `id`. */
async function idColumn(db: MigrationDatabase, type: NonNullable<JobColumnOptions['id']>): Promise<Definition> {
  if (type === 'text') return { type, build: (column) => column.notNull() }
  if (type !== 'uuid')
    return { type: type === 'int' ? 'integer' : type, build: (column) => column.generatedByDefaultAsIdentity() }
  // In the order of time, version 7 keeps inserts on the last page of the primary key's index.
  const [row] = await catalogQuery<{ version: number }>(
    db,
    `select pg_catalog.current_setting('server_version_num')::int4 as version`,
  )
  const make = row !== undefined && Number(row.version) >= 180_000 ? sql`uuidv7()` : sql`gen_random_uuid()`
  return { type, build: (column) => column.notNull().defaultTo(make) }
}

async function columnsOf(db: MigrationDatabase, table: TableName) {
  const oid = `${literal(quotedName(table))}::pg_catalog.regclass`
  const columns = await catalogQuery<{ name: string }>(
    db,
    `select attname::text as name from pg_catalog.pg_attribute where attrelid = ${oid} and attnum > 0 and not attisdropped`,
  )
  const keys = await catalogQuery(db, `select 1 from pg_catalog.pg_index where indrelid = ${oid} and indisprimary`)
  const partitioned = await catalogQuery(db, `select 1 from pg_catalog.pg_partitioned_table where partrelid = ${oid}`)
  return {
    names: new Set(columns.map((column) => column.name)),
    primaryKey: keys.length > 0,
    isPartitioned: partitioned.length > 0,
  }
}
