import type { Expression, QueryCreator, SelectQueryBuilder, SqlBool } from 'kysely'
import { column, job } from '../predicates/column.js'
import { hasIdIn, keyText } from '../predicates/rows.js'
import type { JobId } from '../schema/columns.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'

/** Rows by what tells them from all others: their id, and where that is not enough their key. */
interface Told {
  readonly id: JobId
  readonly [own.key]?: string | undefined
}

/** The rows of a query by what tells them, to be locked. */
export function toldOf<Selected>({ key }: Jobs, rows: SelectQueryBuilder<JobDatabase, JobAlias, Selected>) {
  return rows.select('id').$if(key !== undefined, (query) => query.select(keyText(key ?? '').as(own.key)))
}

/** The rows of a table, to be narrowed and locked. */
export function toldRows(jobs: Jobs) {
  return toldOf(jobs, jobs.db.selectFrom(jobs.table))
}

/**
 * How a statement writes to rows that a sub-select of it locks. The sub-select runs exactly once, and the rows are found
 * again by the primary key. It locks as the write does: `for no key update`, so that nobody waits who merely inserts a row
 * that references the job.
 */
export function ofLocked(jobs: Jobs, locked: Expression<Told>) {
  const { key } = jobs
  if (key === undefined) return { db: jobs.db as QueryCreator<JobDatabase>, isLocked: hasIdIn(locked) } // which it is
  const all = (name: string) => job.fn<string>('any', [job.fn('array', [columnOfLocked(name)])])
  // Not by the user's handle: its plugins would take the CTE for a table of theirs.
  const columnOfLocked = (name: string) => job.selectFrom(own.locked as never).select(name as never) // a CTE of ours
  const isLocked: Expression<SqlBool> = job.and([
    job(column('id'), '=', all('id')),
    job(keyText(key), '=', all(own.key)),
  ])
  return { db: jobs.db.with(own.locked, () => locked) as unknown as QueryCreator<JobDatabase>, isLocked } // no other tables
}
