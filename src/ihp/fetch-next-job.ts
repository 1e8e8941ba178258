import type { BackoffRule } from '../predicates/backoff.js'
import { fetchNextJobs } from '../queue/fetch.js'
import { rescue } from '../queue/rescue.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import type { Job, JobTable, Queryable } from '../schema/job-table.js'
import { defaultMaxAttempts } from './results.js'

/** Milliseconds after its timeout in which a worker can still end an attempt itself. */
const grace = 1_000

/** The seed's timeoutCondition: the worker of a running job is gone after so many milliseconds without a heartbeat. */
export function abandonedAfter(timeout: Duration): number {
  return milliseconds(timeout, 'timeout') + grace
}

export interface FetchNextJobOptions {
  /** The uuid of the worker that claims. */
  readonly worker: string
  /** The seed's backoffStrategy, for rows that IHP 1.4 or older put into retry. Default: `run_at` alone decides. */
  readonly backoff?: BackoffRule
  /**
   * The seed's timeoutInMicroseconds: a job that is still running, or still locked, a second after it is taken from its
   * worker. Default: such a job is never taken.
   */
  readonly timeout?: Duration
  /** From this attempt on a job that is taken from its worker ends as failed. Default 10. */
  readonly maxAttempts?: number
}

/**
 * The seed's `fetchNextJob`: locks and takes the next job, or none. Workers do not wait for each other, the whole row
 * comes back from the same statement, and the job that is due earliest goes first. With a `timeout`, abandoned jobs are
 * put into retry before, by a statement of their own. It heeds no pause of `pauseJobs`.
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
  const lease = timeout === undefined ? undefined : abandonedAfter(timeout)
  if (lease !== undefined) await rescue<DB, Table>(db, table, { lease, maxAttempts })
  const [job] = await fetchNextJobs<DB, Table>(db, table, {
    worker,
    limit: 1,
    lease,
    ...(backoff && { retryBackoff: backoff }),
  })
  return job
}
