import { clockTimestamp, later } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import { isSelected, type JobSelection } from '../predicates/selected.js'
import { isFinal, isRunning, statusLiteral } from '../predicates/status.js'
import type { JobId } from '../schema/columns.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { archivedJobs } from './archive.js'
import { inBulk } from './bulk.js'
import { type BulkOptions, type BulkResult, checkBulkOptions } from './bulk-options.js'
import type { BulkWrite } from './chunks.js'
import { fromArchive } from './moved.js'

export interface RetryOptions<Row, DryRun extends boolean = false> extends BulkOptions<DryRun> {
  /** How long from now the jobs are due. Default: at once. */
  readonly delay?: Duration | undefined
  /** The optional columns to clear: `started_at`, `finished_at`, `result`. Default: they keep what the last run left. */
  readonly columns?: readonly OptionalColumn<Row>[]
}

/**
 * Lets jobs run again from the beginning: all attempts, no lock, due at once or after a delay. For final jobs and for
 * pending ones, also those that manual SQL, or IHP's dashboard, left locked; a running job is left to its worker. Jobs that
 * are in the table's archive come back from it, with the same id.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that the table refuses (a unique index over unfinished jobs, a trigger) keeps its state and stops no other.
 *
 * @returns the ids of the jobs that will run, and as `refused` those that were not let, each with its error; with
 * `dryRun: true` the number of the jobs that match
 * @throws BulkOptionError, TypeError before anything is written; whatever concerns all jobs (no connection, no privilege, a
 * timeout): chunks before it are written
 * @example
 * const retried = await retryJobs(db, 'mail_jobs', { where: (job) => job('status', '=', 'job_status_failed') })
 * for (const { id, error } of retried.refused) console.warn(id, error)
 */
export async function retryJobs<DB, Table extends keyof DB & string, DryRun extends boolean = false>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: RetryOptions<DB[Table], DryRun> = {},
): Promise<BulkResult<DryRun>> {
  checkBulkOptions(options, ['delay', 'columns'])
  const { key, home, archive } = await inspectJobTable(db, table)
  const changes = changesOf(options)
  const jobs = jobsOf(db, table, { key, home })
  const write: BulkWrite = {
    jobs,
    may: job.not(isRunning()),
    write: async ({ db, table, isLocked }) =>
      idsOf(await db.updateTable(table).set(changes).where(isLocked).returning('id').execute()),
  }
  if (archive === undefined) return inBulk([write], selection, options)
  const archived = archivedJobs(jobs, archive)
  if (!options.dryRun) await proveReadable(archived, selection)
  const comeBack: BulkWrite = {
    jobs: archived,
    may: isFinal(),
    removes: true,
    write: async ({ db, table, isLocked }) => {
      const back = fromArchive<{ id: JobId }>(db.deleteFrom(table).where(isLocked), archive, changes)
      return idsOf((await back.execute(jobs.db)).rows)
    },
  }
  return inBulk([write, comeBack], selection, options)
}

function changesOf({
  delay,
  columns,
}: Pick<RetryOptions<unknown>, 'delay'> & { readonly columns?: readonly string[] }) {
  const cleared = new Set(columns)
  return {
    status: statusLiteral('job_status_not_started'),
    attempts_count: 0,
    locked_at: null,
    locked_by: null,
    run_at: later(clockTimestamp(), milliseconds(delay ?? 0, 'delay')),
    updated_at: clockTimestamp(),
    ...(cleared.has('started_at') && { started_at: null }),
    ...(cleared.has('finished_at') && { finished_at: null }),
    ...(cleared.has('result') && { result: null }),
  }
}

/** Whether the archive may be read, and has the columns of the condition: before anything is written. @throws what Postgres says */
async function proveReadable<Row>({ db, asJob }: Jobs, selection: JobSelection<Row>): Promise<void> {
  await db.selectFrom(asJob).select('id').where(isSelected(selection)).limit(0).execute()
}

function idsOf(rows: readonly { readonly id: JobId }[]): JobId[] {
  return rows.map(({ id }) => id)
}
