import { clockTimestamp, earlier, epoch } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { interruptedAgain, interruptedAttempt, interruptionError, isHandedBack } from '../predicates/interruption.js'
import { isNotKept } from '../predicates/kept.js'
import { isLeaseExpired } from '../predicates/lease.js'
import { keyText } from '../predicates/rows.js'
import { isRunning, statusLiteral } from '../predicates/status.js'
import { appendedError, asColumnType } from '../predicates/values.js'
import type { JobId } from '../schema/columns.js'
import type { Duration } from '../schema/duration.js'
import type { Home } from '../schema/engine.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { asJsonText, valuesOf } from '../schema/text.js'
import { type Changes, type Choice, chosen } from './fenced.js'
import { ofLocked, toldRows } from './locked.js'
import { eachNodeOf } from './values.js'

/** The most rows of one rescue; what is left waits for the next. */
export const rescueLimit = 100

/** Which running jobs a rescue takes, and when it ends them. */
export interface RescueOptions<Row> {
  /** How long a running job may go without a heartbeat, where its row does not say so: a worker of ours writes its own lease. */
  readonly lease: Duration
  /** From this attempt on an expired job ends as failed; before it, it is due again at once. */
  readonly maxAttempts: number
  /** Only these rows, by their id or as `leaseOf(job)` tells them, where the limit is not the same for all. */
  readonly only?: Choice['only']
  /** Not these rows: they were refused before. */
  readonly except?: Choice['except']
  /** The optional columns to use: `max_attempts`, `finished_at`, `errors`. */
  readonly columns?: readonly OptionalColumn<Row>[]
  /** The table's key, where `inspectJobTable` tells one. */
  readonly key?: string | undefined
  /** The table's home, where `inspectJobTable` tells one that is not Postgres. */
  readonly home?: Home | undefined
}

/** A job taken from a worker that is gone. */
export interface Rescued {
  readonly id: JobId
  /** What tells its row from all others, where the table's key was given. */
  readonly key?: string | undefined
  /** The attempt that was interrupted. */
  readonly attempt: number
  readonly status: 'job_status_retry' | 'job_status_failed'
}

/**
 * Takes running jobs whose lease has expired from their workers: back into retry, due at once and first in
 * their place, or to failed when their attempts are used up. At most {@link rescueLimit} rows; rows in another rescue's hands are passed over.
 *
 * Of a worker of ours the attempt does not count where it was claimed ahead of free slots, and where it is the second in a
 * row that was interrupted. So a job that ends its workers runs at most twice more, in a row, than it has attempts.
 *
 * @example await rescue(db, 'send_mail_jobs', { lease: '60s', maxAttempts: 10 })
 */
export async function rescue<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: RescueOptions<DB[Table]>,
): Promise<Rescued[]> {
  const rescued: Rescued[] = []
  const failures: unknown[] = []
  const jobs = jobsOf(db, table, options)
  for await (const some of eachNodeOf(jobs, isLeaseExpired(options.lease), rescueLimit)) {
    try {
      rescued.push(...(await rescueOf(some, options)))
    } catch (error) {
      failures.push(error)
      if (jobs.db.isTransaction) break
    }
  }
  if (failures.length > 0 && (rescued.length === 0 || jobs.db.isTransaction)) throw failures[0]
  return rescued
}

async function rescueOf<Row>(jobs: Jobs, options: RescueOptions<Row>): Promise<Rescued[]> {
  const { db: locking, isLocked } = ofLocked(jobs, expiredRows(jobs, options))
  const told = jobs.rowKey === undefined ? job.lit(null) : keyText(jobs.rowKey)
  const query = locking
    .updateTable(jobs.table)
    .set(rescuing(options.maxAttempts, new Set(options.columns)))
    .where(isLocked)
    .$if(!jobs.db.isTransaction, (query) => query.where(committedLater()))
    .returning([asJsonText([job.cast<string>(column('status'), 'text'), interruptedAttempt(), told]), 'id'])
    .compile()
  return (await valuesOf(jobs.db, query)).map(([text, id]) => {
    const [status, attempt, key] = JSON.parse(String(text)) as [Rescued['status'], number, string | null] // it writes no other status
    return { id: id as JobId, attempt, status, ...(key !== null && { key }) } // an id as the user's driver gives it: for their eyes
  })
}

function expiredRows(jobs: Jobs, { lease, ...choice }: Choice & { readonly lease: Duration }) {
  const { advisoryLocks } = jobs.home?.engine ?? { advisoryLocks: true }
  const isTaken = advisoryLocks ? isNotKept() : job.lit(true)
  return chosen(jobs, toldRows(jobs), choice)
    .where(isRunning())
    .where(job.case().when(isLeaseExpired(lease)).then(isTaken).else(false).end()) // locks no other
    .orderBy('locked_by') // as the running index is: with stale statistics the table itself would be read
    .limit(rescueLimit)
    .forNoKeyUpdate()
    .skipLocked()
}

function rescuing(maxAttempts: number, columns: ReadonlySet<string>): Changes {
  // As bigint: as a value of the column's own type, a limit beyond that would be an error.
  const given = job.cast<number>(job.val(maxAttempts), 'bigint')
  const limit = columns.has('max_attempts') ? job.fn.coalesce(column('max_attempts'), given) : given
  const again = job.or([isHandedBack(), job('attempts_count', '<', limit)])
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
    attempts_count: job
      .case()
      .when(isHandedBack())
      .then(job('attempts_count', '-', 1))
      .else(column('attempts_count'))
      .end(),
    locked_at: interruptedAgain(),
    locked_by: null,
    updated_at: clockTimestamp(),
    last_error: interruptionError(),
    ...(columns.has('finished_at') && {
      finished_at: job.case().when(again).then(column('finished_at')).else(clockTimestamp()).end(),
    }),
    ...(columns.has('errors') && { errors: appendedError(interruptionError()) }),
  }
}
