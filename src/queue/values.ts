import { type Expression, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { column, job } from '../predicates/column.js'
import { isRunning } from '../predicates/status.js'
import { type JobAlias, type JobDatabase, type Jobs, jobsOfValue } from '../schema/job-database.js'
import { quoted } from '../schema/names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Claim, waitingJobs } from './claim.js'

/** So many values are known at most at a time. */
export const mostValues = 10_000

/**
 * The values, of the column by which a table is distributed, that have due jobs; those whose jobs wait longest first. It reads what is due, on each
 * node by the index.
 * @param room only values of which fewer jobs run
 */
export async function dueValues(jobs: Jobs, claim: Claim, room?: Expression<number>): Promise<string[]> {
  const due = waitingJobs(jobs, claim).where(isDue())
  if (room === undefined) return valuesOfRows(jobs, due, job.fn.min(column('run_at')), mostValues)
  const value = sql.raw<unknown>(quoted(jobs.distributedBy ?? ''))
  const waiting = due.select([value.as('value'), job.fn.min(column('run_at')).as('since')]).groupBy(value)
  const running = jobs.db
    .selectFrom(jobs.table)
    .select([value.as('value'), job.fn.countAll().as('jobs')])
    .where(isRunning())
    .groupBy(value)
  const query = sql`select ${asText(sql`due.value`)} from (${waiting}) as due left join (${running}) as running on running.value = due.value
    where coalesce(running.jobs, 0) < ${room} order by due.since limit ${sql.lit(mostValues)}`
  return (await textsOf(jobs.db, query.compile(jobs.db))).filter((text) => text !== null)
}

/** The values that rows have, in the order of an expression over the rows of each. */
export async function valuesOfRows<Selected>(
  { db, distributedBy = '' }: Jobs,
  rows: SelectQueryBuilder<JobDatabase, JobAlias, Selected>,
  order: Expression<unknown>,
  most: number,
): Promise<string[]> {
  const value = sql.raw<unknown>(quoted(distributedBy))
  const query = rows.select(asText(value)).groupBy(value).orderBy(order).limit(most)
  return (await textsOf(db, query.compile())).filter((text) => text !== null)
}

/** A table whose rows are on one node; of a distributed one the rows of each value that has some that are meant, one after the other. */
export async function* eachNodeOf(jobs: Jobs, isMeant: Expression<SqlBool>, most: number): AsyncGenerator<Jobs> {
  if (jobs.distributedBy === undefined) return yield jobs
  const rows = jobs.db.selectFrom(jobs.table).where(isMeant)
  for (const value of await valuesOfRows(jobs, rows, job.fn.min(column('updated_at')), most))
    yield jobsOfValue(jobs, value)
}
