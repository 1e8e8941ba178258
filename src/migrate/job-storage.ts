import { quotedName, type TableName } from '../schema/names.js'
import { catalogQuery, execute, literal, type MigrationDatabase } from './migration-database.js'
import { onTarget, type Target } from './target.js'

/**
 * A job is written three times or more. Room on its page keeps the heartbeat off the indexes (HOT), and thresholds in
 * rows, not in shares of the table, keep vacuum and statistics in step with the queue when the table has grown.
 */
export const storageSettings = {
  fillfactor: 85,
  autovacuum_vacuum_scale_factor: 0,
  autovacuum_vacuum_threshold: 5000,
  autovacuum_vacuum_cost_delay: 0,
  autovacuum_vacuum_insert_scale_factor: 0.05,
  autovacuum_analyze_scale_factor: 0,
  autovacuum_analyze_threshold: 10_000,
} as const

/**
 * Sets fillfactor and autovacuum of a table as a queue needs them; of a partitioned table those of its partitions, as it
 * has none itself. Call it again for partitions that come later. @throws JobTableNameError, NoSuchTableError
 * @example await setJobStorage(db, 'orders')
 */
export async function setJobStorage(db: MigrationDatabase, name: string): Promise<void> {
  await changeStorage(db, name, setting())
}

/**
 * Back to the server's settings. @throws JobTableNameError, NoSuchTableError
 * @example await resetJobStorage(db, 'orders')
 */
export async function resetJobStorage(db: MigrationDatabase, name: string): Promise<void> {
  await changeStorage(db, name, `reset (${Object.keys(storageSettings).join(', ')})`)
}

function setting(): string {
  return `set (${Object.entries(storageSettings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')})`
}

async function changeStorage(db: MigrationDatabase, name: string, change: string): Promise<void> {
  await onTarget(db, name, (target) => changeParts(target, change))
}

/** Gives a new table these settings. */
export const createStorage = (target: Target): Promise<void> => changeParts(target, setting())

async function changeParts({ db: plain, table, engine }: Target, change: string): Promise<void> {
  if (!engine.heap) return // it has neither, and may refuse the names
  const oid = `${literal(quotedName(table))}::pg_catalog.regclass`
  // The tables in which its rows are: itself, or its partitions; not those of another server.
  const parts = await catalogQuery<TableName>(
    plain,
    `select n.nspname as schema, c.relname as name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and (c.oid = ${oid} or c.oid in (select relid from pg_catalog.pg_partition_tree(${oid})))`,
  )
  for (const part of parts) await execute(plain, `alter table ${quotedName(part)} ${change}`)
}
