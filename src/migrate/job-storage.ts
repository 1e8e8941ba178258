import { quotedName } from '../schema/names.js'
import { execute, type MigrationDatabase } from './migration-database.js'
import { existingTarget } from './target.js'

/**
 * A job is written three times or more. Room on its page keeps the heartbeat off the indexes (HOT), and thresholds in
 * rows, not in shares of the table, keep vacuum and statistics in step with the queue when the table has grown.
 */
const settings = {
  fillfactor: 85,
  autovacuum_vacuum_scale_factor: 0,
  autovacuum_vacuum_threshold: 5000,
  autovacuum_vacuum_cost_delay: 0,
  autovacuum_vacuum_insert_scale_factor: 0.05,
  autovacuum_analyze_scale_factor: 0,
  autovacuum_analyze_threshold: 10_000,
} as const

/**
 * Sets fillfactor and autovacuum of a table as a queue needs them. @throws JobTableNameError, NoSuchTableError
 * @example await setJobStorage(db, 'orders')
 */
export async function setJobStorage(db: MigrationDatabase, name: string): Promise<void> {
  const { db: plain, table } = await existingTarget(db, name)
  const list = Object.entries(settings).map(([setting, value]) => `${setting} = ${value}`)
  await execute(plain, `alter table ${quotedName(table)} set (${list.join(', ')})`)
}

/**
 * Back to the server's settings. @throws JobTableNameError, NoSuchTableError
 * @example await resetJobStorage(db, 'orders')
 */
export async function resetJobStorage(db: MigrationDatabase, name: string): Promise<void> {
  const { db: plain, table } = await existingTarget(db, name)
  await execute(plain, `alter table ${quotedName(table)} reset (${Object.keys(settings).join(', ')})`)
}
