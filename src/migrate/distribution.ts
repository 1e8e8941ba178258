import { type CreateTableBuilder, sql } from 'kysely'
import { jobColumnNames, optionalColumnNames } from '../schema/columns.js'
import { codeOf } from '../schema/error-code.js'
import { quoted, quotedName } from '../schema/names.js'
import { createKeyIndexes } from './key-indexes.js'
import { catalogQuery, execute, literal, type MigrationDatabase } from './migration-database.js'
import { JobTableOptionError } from './options.js'
import { existingTarget, type Target } from './target.js'
import { writtenColumn } from './written-columns.js'

/** The column that is made where a table has none of its own to be distributed by, and how many values it has. */
const bucket = 'bucket'
const buckets = 64

/** Refuses what is no column's name, and a server without Citus. @throws JobTableOptionError */
export async function checkDistribution(db: MigrationDatabase, distributeBy: unknown): Promise<void> {
  if (typeof distributeBy !== 'string' || distributeBy === '') {
    throw new JobTableOptionError(
      `distributeBy: ${String(distributeBy)} names no column; give one of yours, as in 'tenant_id', or '${bucket}', which is made`,
    )
  }
  const found = await catalogQuery(db, `select 1 as found from pg_catalog.pg_extension where extname = 'citus'`)
  if (found.length > 0) return
  throw new JobTableOptionError(
    `distributeBy: '${distributeBy}' is for a server with Citus, and this database has not got the extension: leave the option out, or let an earlier migration say: create extension citus`,
  )
}

/** Adds the bucket where it is asked for and not there: which of them a job is in, chance decides. */
export function withBucket(table: CreateTableBuilder<string, string>, distributeBy: string): typeof table {
  const columns = table.toOperationNode().columns.map(({ column }) => column.column.name)
  if (distributeBy !== bucket || columns.includes(bucket)) return table
  return table.addColumn(bucket, 'smallint', (column) =>
    column.notNull().defaultTo(sql`floor(random() * ${sql.lit(buckets)})`),
  )
}

/**
 * Spreads a new job table over the nodes of Citus by the values of a column. Its primary key is the column and the id, and it has the
 * indexes by which jobs of one value are found.
 * @throws JobTableOptionError for a column that does not serve, or a table that is distributed already
 */
export async function distribute(db: MigrationDatabase, name: string, by: string): Promise<void> {
  const target = await existingTarget(db, name)
  const { db: plain, table } = target
  const column = writtenColumn(db, by)
  checkColumn(target, column)
  if (target.placement.kind !== 'local')
    throw new JobTableOptionError(
      `distributeBy: all tables of the schema ${quoted(table.schema)} are on one node (schema-based sharding): leave the option out, or make the table in another schema`,
    )
  try {
    await execute(plain, `alter table ${quotedName(table)} add primary key (${quoted(column)}, ${quoted('id')})`)
    await execute(plain, `select create_distributed_table(${literal(quotedName(table))}, ${literal(column)})`)
  } catch (error) {
    if (codeOf(error) !== undefinedObject) throw error
    throw new JobTableOptionError(
      `distributeBy: '${column}' is of a type by which no table can be distributed (${error instanceof Error ? error.message : error}); give another column`,
      { cause: error },
    )
  }
  await createKeyIndexes(db, name, [by])
}

/** What Postgres says of a type that it can't order or hash. */
const undefinedObject = '42704'

/** @throws JobTableOptionError */
function checkColumn({ table, catalog }: Target, by: string): void {
  const ofQueue: readonly string[] = [...jobColumnNames, ...optionalColumnNames]
  const column = catalog.columns.find(({ name }) => name === by)
  if (column === undefined) {
    const names = catalog.columns.map(({ name }) => name).join(', ')
    throw new JobTableOptionError(`distributeBy: ${quotedName(table)} has no column '${by}'; there are ${names}`)
  }
  if (ofQueue.includes(by))
    throw new JobTableOptionError(
      `distributeBy: '${by}' is a column of the queue; give one of your own, of which many jobs have the same value, or '${bucket}', which is made`,
    )
  if (column.base === 'bool')
    throw new JobTableOptionError(
      `distributeBy: '${by}' is a boolean, by which Citus finds no node; give another column, or '${bucket}', which is made`,
    )
}
