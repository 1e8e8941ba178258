import { type AliasedExpression, sql } from 'kysely'
import type { JobArchive } from '../schema/archive.js'
import type { JobId } from '../schema/columns.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { BulkRun } from './bulk-run.js'
import type { ChangedJobs } from './changed-jobs.js'
import { type BulkWrite, writeInChunks } from './chunks.js'
import { keysOf } from './fenced.js'
import { type Deletion, type Moved, toArchive } from './moved.js'
import { haveEnded, type PruneOptions } from './prune.js'

/** A table has no archive, or one that can't take jobs; the message has the remedy. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code = 'ARCHIVE'
}

/** @throws ArchiveError */
export function usable(archive: JobArchive | undefined, { name }: Pick<TableName, 'name'>): JobArchive {
  if (archive === undefined)
    throw new ArchiveError(`${name} has no archive; createJobArchive, in a migration, makes it`)
  if (archive.flaw !== undefined) throw new ArchiveError(archive.flaw)
  return archive
}

/** The jobs of an archive, as conditions of the user's see them: by its real name, but by their plugins. */
export function archivedJobs(jobs: Jobs, { table }: JobArchive): Jobs {
  const real = sql.raw(quotedName(table))
  const as = (alias: string) => real.as(alias) as unknown as Jobs['table'] // its columns are the same
  return { ...jobs, table: as(own.row), asJob: as('job') }
}

/** Moves rows to the archive. @returns their ids, and what is told of each */
export async function movedRows<Row>(
  { db }: Jobs,
  deletion: Deletion,
  moved: Moved,
  told?: AliasedExpression<unknown, string>,
): Promise<Row[]> {
  const answer = { id: true, ...(told && { told }) }
  return (await toArchive<Row>(deletion, moved, answer).execute(db)).rows
}

/**
 * Moves jobs that have ended to the archive of their table, oldest first, in one chunk: those of before there was one, or that
 * were kept. A job that the archive refuses, or that another table holds fast, stays and stops no other of its chunk.
 *
 * @returns the ids of those that were moved, and as `refused` those that were not; together as many as the limit means there may
 * be more. Where all were refused, those behind them are not looked at until these are gone.
 * @throws ArchiveError where there is none, or it lacks a column; whatever concerns all jobs
 * @example while ((await archiveJobs(db, 'send_mail_jobs', { olderThan: '1h' })).length > 0);
 */
export async function archiveJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: PruneOptions,
): Promise<ChangedJobs> {
  const { table: name, key, home, archive: found } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, { key, home })
  const moved = { archive: usable(found, name), changes: {} }
  const ended = haveEnded(options)
  const old = jobs.db.selectFrom(jobs.table).where(ended).orderBy('updated_at')
  const ids = (await keysOf(jobs, old.limit(options.limit ?? 1000))).map(({ id }) => id)
  const write: BulkWrite['write'] = async ({ db, table, isLocked }) => {
    const rows = await movedRows<{ id: JobId }>(jobs, db.deleteFrom(table).where(isLocked), moved)
    return rows.map(({ id }) => id)
  }
  const run = new BulkRun()
  await writeInChunks({ jobs, may: ended, write, removes: true }, { ids }, run)
  return run.result
}
