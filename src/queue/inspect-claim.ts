import { type Condition, conditionOf } from '../predicates/condition.js'
import type { EngineOptions } from '../schema/engines/engine.js'
import { inspectJobTable as inspect, type JobTableDescription } from '../schema/inspect.js'
import { jobsOf } from '../schema/job-database.js'
import type { ReadonlyQueryable } from '../schema/job-table.js'
import { adviceOnCondition } from './condition-index.js'

/**
 * Reads from the catalog whether a table is a job table, and what it can do beyond that.
 * @param options `where`: the condition of a worker; then the advice has the index that it wants. `engine`: as that of a worker
 * @throws CatalogError, JobTableError, NoSuchTableError
 * @example const { advice } = await inspectJobTable(db, 'send_mail_jobs', { where: (eb) => eb('region', '=', 'eu') })
 */
export async function inspectJobTable<DB, Table extends string>(
  handle: ReadonlyQueryable<DB>,
  table: Table,
  options: {
    readonly where?: Table extends keyof DB ? Condition<DB, Table> : never
    readonly engine?: EngineOptions | undefined
  } = {},
): Promise<JobTableDescription> {
  const found = await inspect(handle, table, options.engine)
  if (options.where === undefined) return found
  const where = conditionOf(options.where as Parameters<typeof conditionOf>[0]) // its own types have checked it
  const columns = [...found.columns.keys()]
  const wanted = await adviceOnCondition(jobsOf(handle, table, found), { columns, where }, found.table)
  return { ...found, advice: [...found.advice, ...(wanted === undefined ? [] : [wanted])] }
}
