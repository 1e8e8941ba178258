import { type ExpressionWrapper, expressionBuilder, type SelectType } from 'kysely'
import type { JobColumns } from '../schema/columns.js'
import type { JobAlias, JobDatabase } from '../schema/job-database.js'

/** The builder all predicates are written with; it belongs to no query. */
export const job = expressionBuilder<JobDatabase, JobAlias>()

/**
 * A job column, of the only table in scope or of the one named. Our statements need no name; in the user's
 * joins `isDue('jobs')` says whose `run_at` is meant.
 */
export function column<Name extends keyof JobColumns & string>(
  name: Name,
  table?: string,
): ExpressionWrapper<JobDatabase, JobAlias, SelectType<JobColumns[Name]>> {
  const reference = table === undefined ? name : `${table}.${name}`
  // the types know the table by our alias, whatever the caller's query calls it
  return job.ref(reference as Name) as ExpressionWrapper<JobDatabase, JobAlias, SelectType<JobColumns[Name]>>
}
