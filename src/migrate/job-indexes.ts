import {
  dueIndexName,
  dueOrder,
  failedIndexName,
  finishedIndexName,
  quoted,
  quotedName,
  readyIndexName,
  runningIndexName,
  type TableName,
} from '../schema/names.js'
import { type JobStatus, pendingStatuses } from '../schema/statuses.js'
import { execute, literal, type MigrationDatabase } from './migration-database.js'
import { checkOptions } from './options.js'
import { changeTable, existingTarget, type Target } from './target.js'

export interface JobIndexOptions {
  /**
   * Build without blocking writes, for a table in use. Outside of a transaction only: a migration of its own,
   * run with transactions off. Default false.
   */
  readonly concurrently?: boolean
}

/**
 * Makes the partial indexes of a job table: `job_ready_<table>` for the fetch, by `run_at` (and `priority` where the
 * table has it, then also `job_due_<table>` for what is due at any level), `job_running_<table>` for heartbeat and
 * rescue, `job_finished_<table>` for prune, `job_failed_<table>` for counts. One that is there but broken, or of the days
 * before `priority`, is made anew.
 *
 * @example await createJobIndexes(db, 'orders', { concurrently: true })
 * @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 */
export async function createJobIndexes(
  db: MigrationDatabase,
  name: string,
  options: JobIndexOptions = {},
): Promise<void> {
  checkOptions(options, { concurrently: [true, false] })
  if (options.concurrently) await createIndexes(await existingTarget(db, name), ' concurrently')
  else await changeTable(db, name, (target) => createIndexes(target, ''))
}

/**
 * Drops these indexes. @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 * @example await dropJobIndexes(db, 'orders')
 */
export async function dropJobIndexes(
  db: MigrationDatabase,
  name: string,
  options: JobIndexOptions = {},
): Promise<void> {
  checkOptions(options, { concurrently: [true, false] })
  const target = await existingTarget(db, name)
  for (const [index] of wantedIndexes(target.table, true)) {
    await dropIndex(target, index, options.concurrently ? ' concurrently' : '')
  }
}

/** Of rows whose status is as the predicate says. */
export type WantedIndex = readonly [name: string, columns: readonly string[], predicate: string]

/** The indexes of a job table. */
export function wantedIndexes(table: TableName, hasPriority: boolean): WantedIndex[] {
  const isIn = (...statuses: JobStatus[]) => `in (${statuses.map(literal).join(', ')})`
  const pending = isIn(...pendingStatuses)
  const ready = hasPriority ? ['priority desc', 'run_at'] : ['run_at']
  return [
    [readyIndexName(table), ready, pending],
    ...(hasPriority ? [[dueIndexName(table), [dueOrder], pending] as const] : []),
    // By locked_by and not locked_at, so that a heartbeat changes no indexed column and stays a HOT update.
    [runningIndexName(table), ['locked_by'], isIn('job_status_running')],
    // By what it is not: the predicate of isFinal, which holds for a six-value enum too.
    [finishedIndexName(table), ['updated_at'], `not ${isIn(...pendingStatuses, 'job_status_running')}`],
    [failedIndexName(table), ['status', 'updated_at'], isIn('job_status_failed', 'job_status_timed_out')],
  ]
}

async function createIndexes(target: Target, concurrently: string): Promise<void> {
  const { db, table, catalog } = target
  const hasPriority = catalog.columns.some((column) => column.name === 'priority')
  for (const wanted of wantedIndexes(table, hasPriority)) {
    const [name, columns] = wanted
    const found = catalog.indexes.find((index) => index.name === name)
    if (found?.valid && found.columns.join() === columns.join()) continue
    if (found !== undefined) await dropIndex(target, name, concurrently)
    await execute(db, indexStatement(table, wanted, concurrently))
  }
}

/** The statement that makes one. @param concurrently with a space before it, or empty */
export function indexStatement(
  table: TableName,
  [name, columns, predicate]: WantedIndex,
  concurrently: string,
): string {
  const on = `${quotedName(table)} (${columns.join(', ')})`
  return `create index${concurrently} ${quoted(name)} on ${on} where status ${predicate}`
}

async function dropIndex({ db, table }: Target, name: string, concurrently: string): Promise<void> {
  await execute(db, `drop index${concurrently} if exists ${quotedName({ schema: table.schema, name })}`)
}
