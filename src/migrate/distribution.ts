import { type CreateTableBuilder, sql } from 'kysely'
import { quoted, quotedName } from '../schema/names.js'
import { createKeyIndexes } from './key-indexes.js'
import { catalogQuery, execute, literal, type MigrationDatabase } from './migration-database.js'
import { JobTableOptionError } from './options.js'
import { existingTarget } from './target.js'

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
 * @throws JobTableOptionError for a column that the table lacks
 */
export async function distribute(db: MigrationDatabase, name: string, by: string): Promise<void> {
  const { db: plain, table, catalog } = await existingTarget(db, name)
  const column = catalog.columns.find((each) => each.name === by)
  if (column === undefined) {
    const names = catalog.columns.map((each) => each.name).join(', ')
    throw new JobTableOptionError(`distributeBy: ${quotedName(table)} has no column '${by}'; there are ${names}`)
  }
  await execute(plain, `alter table ${quotedName(table)} add primary key (${quoted(by)}, ${quoted('id')})`)
  await execute(plain, `select create_distributed_table(${literal(quotedName(table))}, ${literal(by)})`)
  await createKeyIndexes(db, name, [by])
}
