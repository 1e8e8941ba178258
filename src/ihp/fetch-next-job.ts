import type { BackoffRule } from '../predicates/backoff.js'
import { fetchNextJobs } from '../queue/fetch.js'
import { rescue } from '../queue/rescue.js'
import type { Duration } from '../schema/duration.js'
import type { Job, JobTable, Queryable } from '../schema/job-table.js'
import { abandonedAfter } from './abandoned.js'
import { defaultMaxAttempts } from './results.js'

export interface FetchNextJobOptions {
  /** The uuid of the worker that claims. */
  readonly worker: string
  /** The seed's backoffStrategy, for rows an IHP worker put into retry. Default: `run_at` alone decides. */
  readonly backoff?: BackoffRule
  /**
   * The seed's timeoutInMicroseconds: a job still running a second after it is taken from its worker. Default: a
   * running job is never taken.
   */
  readonly timeout?: Duration
  /** From this attempt on a job that is taken from its worker ends as failed. Default 10. */
  readonly maxAttempts?: number
}

/**
 * The seed's `fetchNextJob`: locks and takes the next job, or none. Workers do not wait for each other, the row
 * comes back whole from the same statement, and what is due earliest goes first. With a `timeout` abandoned
 * jobs are put into retry before, by a statement of their own.
 *
 * @example
 * const job = await fetchNextJob(db, 'send_mail_jobs', { worker: 'faa5ba30-1d76-4adf-bf01-2d1f95cddc04' })
 */
export async function fetchNextJob<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: FetchNextJobOptions,
): Promise<Job<DB, Table> | undefined> {
  const { worker, backoff, timeout, maxAttempts = defaultMaxAttempts } = options
  if (timeout !== undefined) await rescue<DB, Table>(db, table, { lease: abandonedAfter(timeout), maxAttempts })
  const [job] = await fetchNextJobs<DB, Table>(db, table, {
    worker,
    limit: 1,
    ...(backoff && { retryBackoff: backoff }),
  })
  return job
}
