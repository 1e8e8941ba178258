import { type AliasableExpression, type SqlBool, sql } from 'kysely'
import { now } from './clock.js'
import { column, job } from './column.js'
import { isPending } from './status.js'

/**
 * Its time has come: `run_at <= now()` by the database's clock, inclusive.
 * @example db.selectFrom('jobs').selectAll().where(isDue())
 */
export function isDue(table?: string): AliasableExpression<SqlBool> {
  return job(column('run_at', table), '<=', now())
}

/**
 * Held by nobody. Not said as `is null`: that the planner, without statistics, takes for true of one row in 200, and so
 * it reads and sorts all that is due before it takes the first few (200k jobs: a fetch of 100 touched 2,894 buffers
 * against 874, the next due time of four priorities 11,036 against 38).
 * @example db.selectFrom('jobs').selectAll().where(isUnlocked())
 */
export function isUnlocked(table?: string): AliasableExpression<SqlBool> {
  const holder = column('locked_by', table)
  return sql<SqlBool>`(${holder} = ${holder}) is not true`
}

/**
 * What a worker may claim: pending, due and unlocked.
 *
 * @example
 * const waiting = await db.selectFrom('jobs').selectAll().where(isClaimable()).execute()
 */
export function isClaimable(table?: string): AliasableExpression<SqlBool> {
  return job.and([isPending(table), isDue(table), isUnlocked(table)])
}
