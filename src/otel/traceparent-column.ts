import type { DialectAdapter, Kysely } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { type CatalogColumn, readCatalog } from '../schema/catalog.js'
import { findTable, writtenName } from '../schema/identify.js'
import type { JobDatabase } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { traceparentColumn } from './traceparent.js'

/** What is known of a table; that it has no such column is known for a minute, so that a migration needs no restart. */
interface Known {
  readonly has: boolean
  /** Monotonic milliseconds. */
  readonly until: number
}

const longest = 60_000

/** By what all copies of a Kysely have in common. */
const known = new WeakMap<DialectAdapter, Map<string, Known>>()

/** What Postgres says of a column that is not there any more. */
const undefinedColumn = '42703'

/** Whether a job of this table can keep the span that enqueued it: by the catalog, once. */
export async function hasTraceparent(db: Kysely<JobDatabase>, table: string): Promise<boolean> {
  const [tables, key] = placeOf(db, table)
  const before = tables.get(key)
  if (before !== undefined && performance.now() < before.until) return before.has
  const name = await findTable(db, writtenName(db, table))
  const catalog = name && (await readCatalog(db.withoutPlugins(), name))
  const has = catalog?.columns.some(holdsTraceparent) ?? false
  tables.set(key, { has, until: has ? Number.POSITIVE_INFINITY : performance.now() + longest })
  return has
}

function holdsTraceparent({ name, base, length, generated }: CatalogColumn): boolean {
  const isText = base === 'text' || (base === 'varchar' && (length === null || length >= 55))
  return name === traceparentColumn && isText && !generated
}

/** An error may say that the column has gone. */
export function forgetColumn(db: Kysely<JobDatabase>, table: string, error: unknown): void {
  if (sqlState(error) !== undefinedColumn) return
  const [tables, key] = placeOf(db, table)
  tables.delete(key)
}

function placeOf(db: Kysely<JobDatabase>, table: string): [Map<string, Known>, string] {
  const { adapter } = db.getExecutor()
  const tables = known.get(adapter) ?? new Map<string, Known>()
  known.set(adapter, tables)
  return [tables, quotedName(writtenName(db, table))]
}
