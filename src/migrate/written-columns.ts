import { AlterTableNode, DropColumnNode } from 'kysely'
import type { MigrationDatabase } from './migration-database.js'

/** What the user's plugins make of a column's name. */
export function writtenColumn(db: Pick<MigrationDatabase, 'schema'>, column: string): string {
  const { query } = db.schema.alterTable('any').dropColumn(column).compile()
  const [change] = (AlterTableNode.is(query) && query.columnAlterations) || []
  if (change === undefined || !DropColumnNode.is(change))
    throw new TypeError('kysely compiled something else than DROP COLUMN')
  return change.column.column.name
}
