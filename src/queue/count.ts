import { type RawBuilder, sql } from 'kysely'
import { isClaimable } from '../predicates/claimable.js'
import { column } from '../predicates/column.js'
import { isRunning } from '../predicates/status.js'
import { writtenName } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { type JobStatus, jobStatuses } from '../schema/statuses.js'

/** `due` is counted up to here: a longer queue is long enough to know. */
export const dueCap = 1000

/** How many jobs there are. */
export interface JobCounts {
  /** Jobs by status. */
  readonly statuses: Readonly<Record<JobStatus, number>>
  /** Jobs a worker could claim now, counted exactly up to {@link dueCap}. */
  readonly due: number
  /** False where the counts by status come from the planner's statistics (some percent off); `running` is exact always. */
  readonly exact: boolean
}

export interface CountOptions<Row> {
  /** Count every row. Default false: from the planner's statistics. */
  readonly exact?: boolean
  /** `priority` where the table has it: due jobs are found by an index that begins with it. */
  readonly columns?: readonly OptionalColumn<Row>[]
}

/**
 * Counts for people, at a cost that does not grow with the table: from the planner's statistics, running and due
 * ones exactly. A table that was never analysed, or `exact: true`, is counted row by row.
 * @example const { due, statuses } = await countJobs(db, 'send_mail_jobs') // statuses.job_status_failed
 */
export async function countJobs<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: CountOptions<DB[Table]> = {},
): Promise<JobCounts> {
  const jobs = jobsOf(db, table)
  const byPriority = new Set<string>(options.columns).has('priority')
  const few = await countFew(jobs, byPriority, statistics(quotedName(writtenName(jobs.db, table))))
  const estimates = options.exact || few.estimates === null ? null : (JSON.parse(few.estimates) as Counted) // made below
  const counted = estimates ?? (await countAll(jobs))
  const statuses = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Record<JobStatus, number> // all seven
  for (const [status, count] of counted) statuses[status] = Number(count)
  return {
    statuses: { ...statuses, job_status_running: Number(few.running) },
    due: Number(few.due),
    exact: estimates === null,
  }
}

type Counted = readonly (readonly [JobStatus, number])[]

function countFew(jobs: Jobs, byPriority: boolean, estimates: RawBuilder<string | null>) {
  const count = sql<string>`count(*)`
  // Ordered as the ready index is: else the table itself would be read where few of many pending jobs are due.
  const due = jobs.db
    .selectFrom(jobs.table)
    .select('id')
    .where(isClaimable())
    .$if(byPriority, (query) => query.orderBy('priority', 'desc'))
    .orderBy('run_at')
    .limit(dueCap)
    .as(own.due)
  return jobs.db
    .selectNoFrom((eb) => [
      eb.selectFrom(due).select(count.as('count')).as('due'),
      eb.selectFrom(jobs.table).select(count.as('count')).where(isRunning()).as('running'),
      estimates.as('estimates'),
    ])
    .executeTakeFirstOrThrow()
}

/** Pairs of status and estimated rows, as JSON text; null where the table was never analysed. */
function statistics(table: string): RawBuilder<string | null> {
  return sql<string | null>`(
    select json_agg(json_build_array(common.status, round(common.share * class.reltuples)))::text
    from pg_catalog.pg_class class
    join pg_catalog.pg_namespace namespace on namespace.oid = class.relnamespace
    join pg_catalog.pg_stats stats on stats.schemaname = namespace.nspname and stats.tablename = class.relname
    cross join unnest(stats.most_common_vals::text::text[], stats.most_common_freqs) as common(status, share)
    where class.oid = pg_catalog.to_regclass(${table}) and stats.attname = 'status' and class.reltuples > 0)`
}

async function countAll(jobs: Jobs): Promise<Counted> {
  const rows = await jobs.db
    .selectFrom(jobs.table)
    .select([column('status').as('status'), sql<string>`count(*)`.as('count')])
    .groupBy('status')
    .execute()
  return rows.map(({ status, count }) => [status, Number(count)])
}
