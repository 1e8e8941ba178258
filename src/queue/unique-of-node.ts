import { type SqlBool, sql } from 'kysely'
import { job } from '../predicates/column.js'
import { given, isInserted } from '../predicates/unique.js'
import type { Jobs } from '../schema/job-database.js'
import { asText } from '../schema/text.js'
import type { NewRow } from './new-rows.js'
import type { Uniqueness } from './unique-options.js'
import { inserting, mayStand, ownNames, type StandingJobs, standingOf } from './unique-statement.js'

/**
 * The same as {@link insertUnique} of a distributed table: each row by two statements that go to the node of its value, the insert and,
 * where that meets a job, what looks for it.
 */
export async function insertOnNodes(
  jobs: Jobs,
  uniqueness: Uniqueness,
  rows: readonly NewRow[],
): Promise<StandingJobs> {
  const found = new Map<number, StandingJobs extends ReadonlyMap<number, infer One> ? One : never>()
  for (const [place, row] of rows.entries()) {
    const one = (await inserted(jobs, uniqueness, row)) ?? (await standing(jobs, uniqueness, row))
    if (one !== undefined) found.set(place, one)
  }
  return found
}

async function inserted(jobs: Jobs, uniqueness: Uniqueness, row: NewRow) {
  const names = ownNames([row])
  const insert = inserting(jobs.db, jobs, uniqueness, [row])
  const told = [asText(isInserted(), names.isNew), asText(sql`0`, names.place)]
  return standingOf(await insert.returning(told).execute(), names).get(0)
}

async function standing(jobs: Jobs, uniqueness: Uniqueness, row: NewRow) {
  const names = ownNames([row])
  const isSame = uniqueness.columns.map((column) => {
    return sql<SqlBool>`${sql.ref(column)} = ${given(Reflect.get(row, column))}`
  })
  const query = jobs.db
    .selectFrom(jobs.table)
    .selectAll()
    .select([asText(sql`null`, names.isNew), asText(sql`0`, names.place)])
    .where(job.and([...isSame, mayStand(uniqueness)]))
    .limit(1)
    .$if(uniqueness.onlyWaiting, (query) => query.forNoKeyUpdate()) // it is not to begin before the transaction has ended
  return standingOf(await query.execute(), names).get(0)
}
