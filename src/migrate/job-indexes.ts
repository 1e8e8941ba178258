import type { Engine } from '../schema/engines/engine.js'
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
import { checkOptions, type EngineChoice } from './options.js'
import { changeTable, onTarget, type Target } from './target.js'

export interface JobIndexOptions extends EngineChoice {
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
  checkOptions(options, { concurrently: [true, false], engine: [] })
  const { concurrently, engine } = options
  if (concurrently) await onTarget(db, name, (target) => createIndexes(target, ' concurrently'), engine)
  else await changeTable(db, name, createIndexes, engine)
}

/**
 * Drops these indexes. @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 * @example await dropJobIndexes(db, 'orders')
 */
export async function dropJobIndexes(
  db: MigrationDatabase,
  name: string,
  options: Pick<JobIndexOptions, 'concurrently'> = {},
): Promise<void> {
  checkOptions(options, { concurrently: [true, false] })
  await onTarget(db, name, async (target) => {
    for (const [index] of wantedIndexes(target.table, true)) {
      await dropIndex(target, index, options.concurrently ? ' concurrently' : '')
    }
  })
}

/** Of rows whose status is as the predicate says; undefined: of all rows. */
export type WantedIndex = readonly [name: string, columns: readonly string[], predicate: string | undefined]

/** The indexes of a job table. Where none can be partial they begin with the status, so that each leads to the same rows. */
export function wantedIndexes(
  table: TableName,
  hasPriority: boolean,
  { partialIndexes }: IndexForm = inPart,
): WantedIndex[] {
  const wanted = partialOnes(table, hasPriority)
  if (partialIndexes) return wanted
  const whole = wanted.map(([name, columns]): WantedIndex => {
    return [name, columns[0] === 'status' ? columns : ['status', ...columns], undefined]
  })
  return whole.filter(([, columns], place) => whole.findIndex(([, other]) => other.join() === columns.join()) === place)
}

/** What an engine has to do with indexes. */
type IndexForm = Pick<Engine, 'partialIndexes' | 'heap'>

const inPart: IndexForm = { partialIndexes: true, heap: true }

function partialOnes(table: TableName, hasPriority: boolean): WantedIndex[] {
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

/** @param concurrently with a space before it, or empty */
export async function createIndexes(target: Target, concurrently = ''): Promise<void> {
  const { db, table, catalog, engine } = target
  const hasPriority = catalog.columns.some((column) => column.name === 'priority')
  for (const wanted of wantedIndexes(table, hasPriority, engine)) {
    const [name, columns] = wanted
    const found = catalog.indexes.find((index) => index.name === name)
    if (found?.valid && found.columns.join() === columns.join()) continue
    if (found !== undefined) await dropIndex(target, name, concurrently)
    await execute(db, indexStatement(table, wanted, concurrently, engine))
  }
}

/** The statement that makes one. @param concurrently with a space before it, or empty */
export function indexStatement(
  table: TableName,
  [name, columns, predicate]: WantedIndex,
  concurrently: string,
  { heap }: Pick<Engine, 'heap'> = inPart,
): string {
  const on = `${quotedName(table)} (${orderedColumns(columns, heap).join(', ')})`
  return `create index${concurrently} ${quoted(name)} on ${on}${predicate === undefined ? '' : ` where status ${predicate}`}`
}

/** YugabyteDB would spread an index by a hash of its first column where nothing is said of its order. */
export function orderedColumns(columns: readonly string[], heap: boolean): readonly string[] {
  return heap ? columns : columns.map((column) => (column.endsWith(' desc') ? column : `${column} asc`))
}

async function dropIndex({ db, table }: Target, name: string, concurrently: string): Promise<void> {
  await execute(db, `drop index${concurrently} if exists ${quotedName({ schema: table.schema, name })}`)
}
