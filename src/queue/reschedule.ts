import { clockTimestamp, later } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import type { JobSelection } from '../predicates/selected.js'
import { isPending } from '../predicates/status.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable, type JobTableDescription } from '../schema/inspect.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { shown } from '../schema/shown.js'
import { inBulk } from './bulk.js'
import {
  BulkOptionError,
  type BulkOptions,
  type BulkResult,
  checkBulkOptions,
  type GivenOptions,
} from './bulk-options.js'
import { type BulkWrite, undoable } from './chunks.js'

/** What `rescheduleJobs` takes: `to` or `delay`, and `priority` beside it or alone. */
export type RescheduleOptions<Row, DryRun extends boolean = false> = BulkOptions<DryRun> &
  (
    | {
        /** When the jobs are due: a Date, or a text as Postgres reads it; `'infinity'` parks them. */
        readonly to: Date | string
        readonly delay?: 'give either to or delay'
        readonly priority?: Priority<Row> | undefined
      }
    | {
        /** How long from now, by the database's clock, the jobs are due; 0 is at once. */
        readonly delay: Duration
        readonly to?: 'give either to or delay'
        readonly priority?: Priority<Row> | undefined
      }
    | {
        /** The priority that the jobs take, where the table has that column: higher runs first. */
        readonly priority: Priority<Row>
        readonly to?: undefined
        readonly delay?: undefined
      }
  )

/** A number, where the row's type has the column. */
type Priority<Row> = 'priority' extends OptionalColumn<Row> ? number : "the table has no column 'priority'"

/**
 * Lets pending jobs (not started, or in retry) run at another time, or at another priority; their attempts stay counted. A
 * running job and one that has ended are left alone. Where a job is due earlier than before, the table's triggers wake its
 * workers, as they do for a new one.
 *
 * Outside of a transaction each thousand jobs are a transaction of their own; in one of yours all are part of it. A job
 * that the table refuses (a trigger, a CHECK) keeps its time and stops no other.
 *
 * @returns the ids of the jobs that were changed, and as `refused` those that were not let, each with its error; with
 * `dryRun: true` the number of the jobs that match
 * @throws BulkOptionError, TypeError, DurationError, and what Postgres says of an invalid `to`, before anything is written;
 * whatever concerns all jobs (no connection, no privilege, a timeout): chunks before it are written
 * @example
 * await rescheduleJobs(db, 'mail_jobs', { where: (job) => job('user_id', '=', id) }, { delay: '1h' })
 */
export async function rescheduleJobs<DB, Table extends keyof DB & string, DryRun extends boolean = false>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  selection: JobSelection<DB[Table]>,
  options: RescheduleOptions<DB[Table], DryRun>,
): Promise<BulkResult<DryRun>> {
  const when = checkedOptions(options, table)
  const { key, home, columns } = await inspectJobTable(db, table)
  const jobs = jobsOf(db, table, { key, home })
  if (when.priority !== undefined) refuseWithoutPriority(columns, table)
  await proveValues(jobs, when)
  const changes = { ...changesOf(when), updated_at: clockTimestamp() }
  const write: BulkWrite['write'] = async ({ db, table, isLocked }) => {
    const rows = await db.updateTable(table).set(changes).where(isLocked).returning('id').execute()
    return rows.map(({ id }) => id)
  }
  return inBulk([{ jobs, may: isPending(), write }], selection, options)
}

interface When {
  readonly to?: Date | string
  /** Milliseconds. */
  readonly delay?: number
  readonly priority?: number
}

function changesOf({ to, delay, priority }: When) {
  return {
    ...(to !== undefined && { run_at: to }),
    ...(delay !== undefined && { run_at: later(clockTimestamp(), delay) }),
    ...(priority !== undefined && { priority }),
  }
}

/** @throws BulkOptionError, DurationError */
function checkedOptions(options: object, table: string): When {
  checkBulkOptions(Object(options), ['to', 'delay', 'priority'])
  const { to, delay, priority } = Object(options) as GivenOptions // read as what it may be
  if (to !== undefined && delay !== undefined) throw new BulkOptionError(`${table}: give either to or delay, not both`)
  if (to === undefined && delay === undefined && priority === undefined) {
    throw new BulkOptionError(`${table}: reschedule to when? Give { to }, { delay } or { priority }`)
  }
  if (to !== undefined && typeof to !== 'string' && !(to instanceof Date && !Number.isNaN(to.getTime()))) {
    throw new BulkOptionError(`to: ${shown(to)} is invalid; give a Date, or a text that Postgres reads as a time`)
  }
  if (priority !== undefined && !Number.isSafeInteger(priority)) {
    throw new BulkOptionError(`priority: ${shown(priority)} is invalid; give a whole number`)
  }
  return {
    ...(to !== undefined && { to }),
    ...(delay !== undefined && { delay: milliseconds(delay as Duration, 'delay') }), // checked there
    ...(priority !== undefined && { priority: Number(priority) }),
  }
}

function refuseWithoutPriority(columns: JobTableDescription['columns'], table: string): void {
  if (columns.has('priority')) return
  throw new BulkOptionError(
    `${table} has no column 'priority'; addJobColumns(db, '${table}', { columns: ['priority'] }), in a migration, adds it`,
  )
}

/** Whether the columns can hold the values: else each row would be refused by itself. @throws what Postgres says */
async function proveValues(jobs: Jobs, { to, priority }: When): Promise<void> {
  if (typeof to !== 'string' && priority === undefined) return
  const holds = [
    ...(to === undefined ? [] : [job(column('run_at'), '=', to)]),
    ...(priority === undefined ? [] : [job(column('priority'), '=', priority)]),
  ]
  const none = jobs.db.selectFrom(jobs.table).select('id').where(job.and(holds)).limit(0)
  await undoable(jobs, () => none.execute())
}
