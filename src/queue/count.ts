import { type RawBuilder, sql } from 'kysely'
import { isClaimable } from '../predicates/claimable.js'
import { column } from '../predicates/column.js'
import { isRunning } from '../predicates/status.js'
import { writtenName } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { quotedName } from '../schema/names.js'
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

/**
 * Counts for people, at a cost that does not grow with the table: from the planner's statistics, running and due
 * ones exactly. A table that was never analysed, or `exact: true`, is counted row by row.
 */
export async function countJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly exact?: boolean } = {},
): Promise<JobCounts> {
  const jobs = jobsOf(db, table)
  const few = await countFew(jobs, statistics(quotedName(writtenName(db, table))))
  const estimates = options.exact ? null : few.estimates
  const counted = estimates ?? (await countAll(jobs))
  const statuses = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Record<JobStatus, number> // all seven
  for (const [status, count] of counted) statuses[status] = Number(count)
  return {
    statuses: { ...statuses, job_status_running: Number(few.running) },
    due: Number(few.due),
    exact: estimates === null,
  }
}

type Estimates = readonly (readonly [JobStatus, number])[] | null

function countFew(jobs: Jobs, estimates: RawBuilder<Estimates>) {
  const count = sql<string>`count(*)`
  const due = jobs.db.selectFrom(jobs.table).select('job.id').where(isClaimable('job')).limit(dueCap).as('due')
  return jobs.db
    .selectNoFrom((eb) => [
      eb.selectFrom(due).select(count.as('count')).as('due'),
      eb.selectFrom(jobs.table).select(count.as('count')).where(isRunning('job')).as('running'),
      estimates.as('estimates'),
    ])
    .executeTakeFirstOrThrow()
}

/** Pairs of status and estimated rows; null where the table was never analysed. */
function statistics(table: string): RawBuilder<Estimates> {
  return sql<Estimates>`(
    select json_agg(json_build_array(common.status, round(common.share * class.reltuples)))
    from pg_catalog.pg_class class
    join pg_catalog.pg_namespace namespace on namespace.oid = class.relnamespace
    join pg_catalog.pg_stats stats on stats.schemaname = namespace.nspname and stats.tablename = class.relname
    cross join unnest(stats.most_common_vals::text::text[], stats.most_common_freqs) as common(status, share)
    where class.oid = pg_catalog.to_regclass(${table}) and stats.attname = 'status' and class.reltuples > 0)`
}

async function countAll(jobs: Jobs): Promise<NonNullable<Estimates>> {
  const rows = await jobs.db
    .selectFrom(jobs.table)
    .select([column('status').as('status'), sql<string>`count(*)`.as('count')])
    .groupBy('job.status')
    .execute()
  return rows.map(({ status, count }) => [status, Number(count)])
}
