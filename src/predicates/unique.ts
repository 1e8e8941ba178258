import { type AliasableExpression, type Expression, isExpression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { column, job } from './column.js'
import { statusLiteral } from './status.js'

/**
 * No worker has begun it. A claim sets `locked_at`, and what hands a job back leaves it, so that such a job does not come back among
 * these, where another may wait by now.
 */
export function isUnbegun(table?: string): AliasableExpression<SqlBool> {
  const isNotStarted = sql<SqlBool>`${column('status', table)} = ${statusLiteral('job_status_not_started')}`
  return job.and([isNotStarted, job(column('locked_at', table), 'is', null)])
}

/** A user's column of a table in scope. Not as a reference: a name may have a dot, and plugins qualify those. */
export const columnOf = (table: string, name: string): RawBuilder<unknown> => sql`${sql.raw(table)}.${sql.id(name)}`

/** Whether two rows have the same values in these columns. */
export function isSame(columns: readonly string[], one: string, other: string): Expression<SqlBool> {
  return job.and(columns.map((name) => sql<SqlBool>`${columnOf(one, name)} = ${columnOf(other, name)}`))
}

/** What an insert would have put into a column, where it meets a row that is there. */
export const excluded = (name: string): RawBuilder<never> => sql<never>`${columnOf('excluded', name)}`

/**
 * Whether a row that an insert returns is new. One that was there was locked before it was changed, and shows the lock. Not to be asked of a
 * partitioned table: a row that goes to a partition has no `xmax` ("cannot retrieve a system column in this context").
 */
export const isInserted = (): RawBuilder<boolean> => sql`(xmax = 0)`

/** The setting, of a transaction, by which a statement tells itself which row it has met. */
const met = sql.lit('kysely_jobs.met')
const asMet = (id: Expression<unknown>) => sql<string>`'id ' || ${id}`

/** What is to be written to a row that an insert meets, which is marked by its id. */
export const meeting = <Value>(id: Expression<unknown>, value: Expression<Value>): RawBuilder<Value> =>
  sql<Value>`case when pg_catalog.set_config(${met}, ${asMet(id)}, true) is not null then ${value} end`

/** The same as {@link isInserted} where what is met is marked: it is not the row that was met just before. Its mark goes. */
export const isUnmet = (): RawBuilder<boolean> =>
  sql`case when pg_catalog.current_setting(${met}, true) = ${asMet(column('id'))} then pg_catalog.set_config(${met}, '', true) is null else true end`

/** A value of the user's, or what they say in SQL. */
export const given = (value: unknown): RawBuilder<unknown> =>
  isExpression(value) ? sql`${value}` : sql`${sql.val(value)}`
