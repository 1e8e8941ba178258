import type { Expression, QueryResult } from 'kysely'
import { isUnlocked } from '../predicates/claimable.js'
import { millisecondsUntil } from '../predicates/clock.js'
import { inDueOrder } from '../predicates/due-order.js'
import { isPending } from '../predicates/status.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { prepared } from './prepared.js'

/**
 * Milliseconds until the next pending job is due, by the database's clock; 0 or less: one is due now; undefined:
 * none waits. One step along the ready index (the due index, with `priority`), whatever the table holds.
 */
export async function nextDueAt<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly columns?: readonly OptionalColumn<DB[Table]>[] } = {},
): Promise<number | undefined> {
  const jobs = jobsOf(db, table)
  return answer(await jobs.db.executeQuery(question(jobs, new Set<string>(options.columns).has('priority'))))
}

/** The same to be asked again and again, without being built each time. */
export function compileNextDue(jobs: Jobs, byPriority: boolean): (db: Jobs['db']) => Promise<number | undefined> {
  const query = prepared(question(jobs, byPriority))
  return async (db) => answer(await db.executeQuery(query))
}

function question(jobs: Jobs, byPriority: boolean) {
  return jobs.db.selectNoFrom(nextDue(jobs, byPriority).as('due')).compile()
}

function answer({ rows: [row] }: QueryResult<{ readonly due: number | null }>): number | undefined {
  return row?.due ?? undefined
}

/** The same as part of a statement: milliseconds, or null where none waits. */
export function nextDue(jobs: Jobs, byPriority: boolean) {
  const next = earliest(jobs, byPriority).as('next')
  return jobs.db
    .selectFrom(next)
    .select((eb) => dueIn(eb.ref('next.run_at')))
    .$asScalar()
}

function dueIn(time: Expression<unknown>) {
  return millisecondsUntil(time).$castTo<number | null>().as('due')
}

/** By the index that is ordered by time: with `priority` that is the due index. */
function earliest(jobs: Jobs, byPriority: boolean) {
  return jobs.db
    .selectFrom(jobs.table)
    .select('job.run_at')
    .where(isPending('job'))
    .where(isUnlocked('job'))
    .orderBy((eb) => (byPriority ? inDueOrder(eb.ref('job.run_at')) : eb.ref('job.run_at')))
    .limit(1)
}
