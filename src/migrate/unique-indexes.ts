import { isPartitioned } from '../schema/catalog.js'
import { jobColumnNames, optionalColumnNames } from '../schema/columns.js'
import type { EngineOptions } from '../schema/engines/engine.js'
import {
  quoted,
  quotedName,
  type TableName,
  uniqueIndexName,
  waitingIndexName,
  withinIndexName,
} from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { unfinishedStatuses } from '../schema/statuses.js'
import { execute, literal, type MigrationDatabase } from './migration-database.js'
import { checkOptions, type EngineChoice, JobTableOptionError, type UniqueColumns } from './options.js'
import { changeTable, onTarget, type Target } from './target.js'
import { writtenColumn } from './written-columns.js'

/** Options of `createUniqueIndex`. */
export interface UniqueIndexOptions extends EngineChoice {
  /**
   * `ignore` (default): an index over unfinished jobs. `queue`: over jobs that no worker has begun, for `enqueue` with
   * `whileRunning: 'queue'`. A set of columns has the one or the other.
   */
  readonly whileRunning?: 'ignore' | 'queue' | undefined
  /** One more index, over all jobs by when they were enqueued, for `enqueue` with `within`. Default false. */
  readonly within?: boolean | undefined
  /**
   * Build without blocking writes, for a table in use. Outside of a transaction only: a migration of its own, run with transactions
   * off. Default false.
   */
  readonly concurrently?: boolean | undefined
}

/** Jobs that are there already have the same values, so that no unique index can be made; the message names the remedy. */
export class DuplicateJobsError extends Error {
  override readonly name = 'DuplicateJobsError'
  readonly code = 'DUPLICATE_JOBS'
}

/**
 * Makes the index by which `enqueue` with `unique` finds the job that stands for a row: `job_unique_<table>__<column>...` over unfinished
 * jobs, or `job_waiting_...` over those that no worker has begun; with `within` also `job_within_...`. One that is there stays; one that is
 * broken is made anew.
 *
 * @example await createUniqueIndex(db, 'send_mail_jobs', ['user_id', 'template'])
 * @throws DuplicateJobsError where jobs have the same values; JobTableOptionError, JobTableNameError, NoSuchTableError
 */
export async function createUniqueIndex(
  db: MigrationDatabase,
  name: string,
  columns: readonly string[],
  options: UniqueIndexOptions = {},
): Promise<void> {
  checkOptions(options, {
    whileRunning: ['ignore', 'queue'],
    within: [true, false],
    concurrently: [true, false],
    engine: [],
  })
  if (options.within && options.whileRunning === 'queue') {
    throw new JobTableOptionError("within can't go with whileRunning: 'queue': within counts running jobs")
  }
  const written = writtenColumns(db, columns)
  const create = (target: Target) => createIndexes(target, written, options)
  if (options.concurrently) await onTarget(db, name, create, options.engine)
  else await changeTable(db, name, create, options.engine)
}

/**
 * Drops what {@link createUniqueIndex} has made for these columns, whatever its options were.
 * @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 * @example await dropUniqueIndex(db, 'send_mail_jobs', ['user_id', 'template'])
 */
export async function dropUniqueIndex(
  db: MigrationDatabase,
  name: string,
  columns: readonly string[],
  options: Pick<UniqueIndexOptions, 'concurrently'> = {},
): Promise<void> {
  checkOptions(options, { concurrently: [true, false] })
  await onTarget(db, name, async (target) => {
    for (const nameBy of [uniqueIndexName, waitingIndexName, withinIndexName]) {
      await dropIndex(target, nameBy(target.table, writtenColumns(db, columns)), options.concurrently)
    }
  })
}

/** Makes the indexes that `createJobTable` is given. */
export async function createUniqueIndexes(
  db: MigrationDatabase,
  name: string,
  sets: readonly UniqueColumns[],
  engine?: EngineOptions,
): Promise<void> {
  for (const set of sets) {
    const { columns, ...options } = isNames(set) ? { columns: set } : set
    await createUniqueIndex(db, name, columns, { ...options, engine })
  }
}

function isNames(set: UniqueColumns): set is readonly string[] {
  return Array.isArray(set)
}

/** What the user's plugins make of the names. */
function writtenColumns(db: MigrationDatabase, columns: readonly string[]): string[] {
  if (!Array.isArray(columns) || columns.length === 0) {
    throw new JobTableOptionError(
      `${shown(columns)} names no columns; give them as an array, as in ['user_id', 'template']`,
    )
  }
  return columns.map((column) => {
    if (typeof column !== 'string') throw new JobTableOptionError(`${shown(column)} is no column's name`)
    return writtenColumn(db, column)
  })
}

/** An index of ours: unique, so that an `on conflict` can name it. */
interface Wanted {
  readonly name: string
  readonly columns: readonly string[]
  /** Which jobs it is over; undefined: all. */
  readonly only?: { readonly called: string; readonly predicate: string }
}

async function createIndexes(target: Target, columns: readonly string[], options: UniqueIndexOptions): Promise<void> {
  checkColumns(target, columns)
  checkEngine(target)
  checkPlacement(target, columns)
  const { table, catalog } = target
  const [unique, waiting] = [uniqueIndexName(table, columns), waitingIndexName(table, columns)]
  const other = options.whileRunning === 'queue' ? unique : waiting
  if (catalog.indexes.some(({ name, valid }) => valid && name === other)) {
    throw new JobTableOptionError(
      `${table.name} has the index ${quoted(other)} for these columns, which counts other jobs, and would refuse what this one lets be: drop it first (dropUniqueIndex)`,
    )
  }
  await createIndex(
    target,
    options.whileRunning === 'queue' ? waitingIndex(waiting, columns) : uniqueIndex(unique, columns),
    options,
  )
  if (!options.within) return
  checkClock(target)
  await createIndex(
    target,
    { name: withinIndexName(table, columns), columns: [...columns, 'created_at', 'id'] },
    options,
  )
}

function uniqueIndex(name: string, columns: readonly string[]): Wanted {
  const predicate = `status in (${unfinishedStatuses.map(literal).join(', ')})`
  return { name, columns, only: { called: 'unfinished jobs', predicate } }
}

/** With `status`, so that no statement takes it for the other. */
function waitingIndex(name: string, columns: readonly string[]): Wanted {
  const predicate = `status = ${literal('job_status_not_started')} and locked_at is null`
  return { name, columns: [...columns, 'status'], only: { called: 'jobs that no worker has begun', predicate } }
}

/** @throws JobTableOptionError where an index can't be over some of the jobs alone */
function checkEngine({ table, engine }: Target): void {
  if (engine.partialIndexes) return
  throw new JobTableOptionError(
    `unique: ${table.name} is on ${engine.name}, which has no partial indexes, so jobs that have ended would keep new ones out; leave it out, and let the id say what a job is`,
  )
}

/** @throws JobTableOptionError where jobs of the same values may be on several nodes */
function checkPlacement({ table, placement }: Target, columns: readonly string[]): void {
  if (placement.kind !== 'distributed' || columns.includes(placement.by)) return
  const named = [placement.by, ...columns].map((name) => `'${name}'`).join(', ')
  throw new JobTableOptionError(
    `unique: ${table.name} is distributed by '${placement.by}', and no node knows the jobs of the others, so jobs are unique among those of one '${placement.by}': name it too, as in [${named}]`,
  )
}

/** @throws JobTableOptionError where `created_at` means another moment to each session */
function checkClock({ catalog, table }: Target): void {
  const type = catalog.columns.find(({ name }) => name === 'created_at')?.type
  if (type === 'timestamp with time zone') return
  throw new JobTableOptionError(
    `within: ${table.name}.created_at is of type ${type}; it needs a time zone (timestamptz)`,
  )
}

function checkColumns({ catalog, table }: Target, columns: readonly string[]): void {
  const names = catalog.columns.map(({ name }) => name)
  const ofQueue = new Set<string>([...jobColumnNames, ...optionalColumnNames])
  for (const [i, column] of columns.entries()) {
    if (!names.includes(column)) {
      const own = names.filter((name) => !ofQueue.has(name)).map((name) => `'${name}'`)
      throw new JobTableOptionError(
        `${table.name} has no column '${column}' to be unique by; its own are ${own.join(', ')}`,
      )
    }
    if (ofQueue.has(column)) {
      throw new JobTableOptionError(`${column} is a column of the queue; jobs are unique by columns of your own`)
    }
    if (columns.indexOf(column) < i) throw new JobTableOptionError(`The column ${column} is named twice`)
  }
}

async function createIndex(target: Target, wanted: Wanted, { concurrently }: UniqueIndexOptions): Promise<void> {
  const { db, table, catalog } = target
  const found = catalog.indexes.find(({ name }) => name === wanted.name)
  if (found?.valid && found.names.join() === wanted.columns.join()) return
  if (found !== undefined) await dropIndex(target, wanted.name, concurrently)
  const on = `${quotedName(table)} (${wanted.columns.map(quoted).join(', ')})`
  const where = wanted.only === undefined ? '' : ` where ${wanted.only.predicate}`
  const created = `create unique index${concurrently ? ' concurrently' : ''} ${quoted(wanted.name)}`
  try {
    await execute(db, `${created} on ${on}${where}`)
  } catch (error) {
    const code = error instanceof Error && Reflect.get(error, 'code')
    if (code === notSupported && isPartitioned(catalog) && !concurrently) throw notByPartition(table, wanted, error)
    if (code !== uniqueViolation) throw error
    if (concurrently) await dropIndex(target, wanted.name, concurrently) // it is there, and broken
    throw new DuplicateJobsError(
      `${table.name} has several ${wanted.only?.called ?? 'jobs'} of the same ${wanted.columns.join(', ')}: end all but one of each (cancelJobs), then make the index`,
      { cause: error },
    )
  }
}

/** What Postgres says where rows have the same values, and where a unique index would reach over several partitions. */
const uniqueViolation = '23505'
const notSupported = '0A000'

function notByPartition(table: TableName, { columns }: Wanted, cause: unknown): JobTableOptionError {
  const detail = cause instanceof Error && Reflect.get(cause, 'detail')
  return new JobTableOptionError(
    `${table.name} is partitioned, and Postgres has unique indexes over several partitions only where the columns are in them that they are partitioned by (${detail}): name these beside ${columns.join(', ')}; where they are columns of the queue, jobs of this table can't be unique`,
    { cause },
  )
}

async function dropIndex({ db, table }: Target, name: string, concurrently?: boolean): Promise<void> {
  const dropped = `drop index${concurrently ? ' concurrently' : ''} if exists`
  await execute(db, `${dropped} ${quotedName({ schema: table.schema, name })}`)
}
