import { clockTimestamp, later } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import type { JobSelection } from '../predicates/selected.js'
import { isRunning, statusLiteral } from '../predicates/status.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable } from '../schema/inspect.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { type ChangedJobs, writeInChunks } from './chunks.js'

export interface RetryOptions<Row> {
  /** How long from now the jobs are due. Default: at once. */
  readonly delay?: Duration | undefined
  /** The optional columns to clear: `started_at`, `finished_at`, `result`. Default: they keep what the last run left. */
  readonly columns?: readonly OptionalColumn<Row>[]
}

/**
 * Lets jobs run again from the beginning: all attempts, no lock, due at once or after a delay. For final jobs and for
 * pending ones, also those that manual SQL, or IHP's dashboard, left locked; a running job is left to its worker.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that the table refuses (a unique index over unfinished jobs, a trigger) keeps its state and stops no other.
 *
 * @returns the ids of the jobs that will run, and as `refused` those that were not let, each with its error
 * @throws whatever concerns all jobs (no connection, no privilege, a timeout): chunks before it are written
 * @example
 * const retried = await retryJobs(db, 'mail_jobs', { where: (job) => job('status', '=', 'job_status_failed') })
 * for (const { id, error } of retried.refused) console.warn(id, error)
 */
export async function retryJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: RetryOptions<DB[Table]> = {},
): Promise<ChangedJobs> {
  const { key } = await inspectJobTable(db, table)
  const delay = milliseconds(options.delay ?? 0, 'delay')
  const cleared = new Set<string>(options.columns)
  return writeInChunks(jobsOf(db, table, key), selection, job.not(isRunning()), async ({ db, table, isLocked }) => {
    const retried = await db
      .updateTable(table)
      .set({
        status: statusLiteral('job_status_not_started'),
        attempts_count: 0,
        locked_at: null,
        locked_by: null,
        run_at: later(clockTimestamp(), delay),
        updated_at: clockTimestamp(),
        ...(cleared.has('started_at') && { started_at: null }),
        ...(cleared.has('finished_at') && { finished_at: null }),
        ...(cleared.has('result') && { result: null }),
      })
      .where(isLocked)
      .returning('id')
      .execute()
    return retried.map(({ id }) => id)
  })
}
