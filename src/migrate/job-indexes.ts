import { readCatalog } from '../schema/catalog.js'
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
import { execute, inTransaction, literal, type MigrationDatabase } from './migration-database.js'
import { checkOptions } from './options.js'
import { existingTarget, type Target } from './target.js'

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
  checkOptions(options, ['concurrently'])
  if (options.concurrently) await createIndexes(await existingTarget(db, name), ' concurrently')
  else await inTransaction(db, async (trx) => createIndexes(await existingTarget(trx, name), ''))
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
  checkOptions(options, ['concurrently'])
  const target = await existingTarget(db, name)
  for (const index of wantedIndexes(target.table, true)) {
    await dropIndex(target, index.name, options.concurrently ? ' concurrently' : '')
  }
}

interface WantedIndex {
  readonly name: string
  readonly columns: readonly string[]
  readonly predicate: string
}

function wantedIndexes(table: TableName, hasPriority: boolean): WantedIndex[] {
  const unfinished = [...pendingStatuses, 'job_status_running'] as const
  return [
    {
      name: readyIndexName(table),
      columns: hasPriority ? ['priority desc', 'run_at'] : ['run_at'],
      predicate: `status in (${literals(pendingStatuses)})`,
    },
    ...(hasPriority
      ? [{ name: dueIndexName(table), columns: [dueOrder], predicate: `status in (${literals(pendingStatuses)})` }]
      : []),
    // By locked_by and not locked_at, so that a heartbeat changes no indexed column and stays a HOT update.
    {
      name: runningIndexName(table),
      columns: ['locked_by'],
      predicate: `status in (${literals(['job_status_running'])})`,
    },
    // By what it is not: the predicate of isFinal, which holds for a six-value enum too.
    { name: finishedIndexName(table), columns: ['updated_at'], predicate: `status not in (${literals(unfinished)})` },
    {
      name: failedIndexName(table),
      columns: ['status', 'updated_at'],
      predicate: `status in (${literals(['job_status_failed', 'job_status_timed_out'])})`,
    },
  ]
}

async function createIndexes(target: Target, concurrently: string): Promise<void> {
  const catalog = await readCatalog(target.db, target.table)
  const present = new Map(catalog?.indexes.map((index) => [index.name, index]))
  const hasPriority = catalog?.columns.some((column) => column.name === 'priority') ?? false
  for (const index of wantedIndexes(target.table, hasPriority)) {
    const found = present.get(index.name)
    if (found?.valid && found.columns.join() === index.columns.join()) continue
    if (found !== undefined) await dropIndex(target, index.name, concurrently)
    await execute(
      target.db,
      `create index${concurrently} ${quoted(index.name)} on ${quotedName(target.table)} (${index.columns.join(', ')}) where ${index.predicate}`,
    )
  }
}

async function dropIndex({ db, table }: Target, name: string, concurrently: string): Promise<void> {
  await execute(db, `drop index${concurrently} if exists ${quotedName({ schema: table.schema, name })}`)
}

function literals(statuses: readonly JobStatus[]): string {
  return statuses.map(literal).join(', ')
}
