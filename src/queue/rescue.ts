import { clockTimestamp, earlier, epoch } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { hasIdIn } from '../predicates/ids.js'
import { isLeaseExpired } from '../predicates/lease.js'
import { statusLiteral } from '../predicates/status.js'
import { takeoverError } from '../predicates/takeover.js'
import { appendedError, asColumnType } from '../predicates/values.js'
import type { JobId } from '../schema/columns.js'
import type { Duration } from '../schema/duration.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import type { Changes } from './fenced.js'

/** The most rows of one rescue; what is left waits for the next. */
export const rescueLimit = 100

export interface RescueOptions<Row> {
  /** How long a running job may go without a heartbeat. The workers' `lease`; never shorter. */
  readonly lease: Duration
  /** From this attempt on an expired job ends as failed; before it, it is due again at once. */
  readonly maxAttempts: number
  /** Only these rows, where the limit is not the same for all. */
  readonly ids?: readonly JobId[]
  /** The optional columns to use: `max_attempts`, `finished_at`, `errors`. */
  readonly columns?: readonly OptionalColumn<Row>[]
}

/** A job taken from a worker that is gone. */
export interface Rescued {
  readonly id: JobId
  /** The attempt that was interrupted. */
  readonly attempt: number
  readonly status: 'job_status_retry' | 'job_status_failed'
}

/**
 * Takes running jobs whose lease has expired from their workers: back into retry, due at once and first in
 * their place, or to failed when their attempts are used up. At most {@link rescueLimit} rows; rows in another rescue's hands are passed over.
 * @example await rescue(db, 'send_mail_jobs', { lease: '60s', maxAttempts: 10 })
 */
export async function rescue<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: RescueOptions<DB[Table]>,
): Promise<Rescued[]> {
  const jobs = jobsOf(db, table)
  const rescued = await jobs.db
    .updateTable(jobs.table)
    .set(rescuing(options.maxAttempts, new Set(options.columns)))
    .where(hasIdIn(expiredIds(jobs, options)))
    .returning(['job.id', 'job.status', 'job.attempts_count as attempt'])
    .execute()
  return rescued.map((row) => ({ ...row, attempt: Number(row.attempt) })) as Rescued[] // it writes no other status
}

function expiredIds(jobs: Jobs, options: Pick<RescueOptions<unknown>, 'lease' | 'ids'>) {
  return jobs.db
    .selectFrom(jobs.table)
    .select('job.id')
    .where(isLeaseExpired(options.lease, 'job'))
    .$if(options.ids !== undefined, (query) => query.where(hasIdIn(options.ids ?? [], 'job')))
    .orderBy('job.locked_by') // as the running index is: with stale statistics the table itself would be read
    .limit(rescueLimit)
    .forUpdate()
    .skipLocked()
}

function rescuing(maxAttempts: number, columns: ReadonlySet<string>): Changes {
  // As bigint: as a value of the column's own type, a limit beyond that would be an error.
  const given = job.cast<number>(job.val(maxAttempts), 'bigint')
  const limit = columns.has('max_attempts') ? job.fn.coalesce(column('max_attempts'), given) : given
  const again = job('attempts_count', '<', limit)
  const verdict = job
    .case()
    .when(again)
    .then(statusLiteral('job_status_retry'))
    .else(statusLiteral('job_status_failed'))
    .end()
  // Due from now on, it would wait behind all that piled up (17 s in 3,000 jobs): it was claimed before what was due
  // with it, so it goes a microsecond before.
  // Not before the epoch: nothing precedes Postgres' first date, and a row that had it would keep all from being rescued.
  const due = job.fn<Date>('least', [column('run_at'), clockTimestamp()])
  const stillDue = earlier(job.fn<Date>('greatest', [due, epoch()]), 0.001)
  return {
    status: asColumnType('status', verdict),
    run_at: job.case().when(again).then(stillDue).else(column('run_at')).end(),
    locked_by: null,
    updated_at: clockTimestamp(),
    last_error: takeoverError(),
    ...(columns.has('finished_at') && {
      finished_at: job.case().when(again).then(column('finished_at')).else(clockTimestamp()).end(),
    }),
    ...(columns.has('errors') && { errors: appendedError(takeoverError()) }),
  }
}
