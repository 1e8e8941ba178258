import { type AliasableExpression, type SqlBool, sql } from 'kysely'
import type { Duration } from '../schema/duration.js'
import { now } from './clock.js'
import { column, job } from './column.js'
import { isNotRenewed } from './lease.js'
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
 *
 * @param lease a lock that was not renewed for so long counts for nothing. Default: every lock counts
 * @example db.selectFrom('jobs').selectAll().where(isUnlocked())
 */
export function isUnlocked(table?: string, lease?: Duration): AliasableExpression<SqlBool> {
  const holder = column('locked_by', table)
  const isHeldByNobody = sql<SqlBool>`(${holder} = ${holder}) is not true`
  return lease === undefined ? isHeldByNobody : job.or([isHeldByNobody, isNotRenewed(lease, table)])
}

/**
 * What a worker may claim: pending, due and unlocked; with a `lease` also what was left locked ({@link isUnlocked}).
 *
 * @example
 * const waiting = await db.selectFrom('jobs').selectAll().where(isClaimable()).execute()
 */
export function isClaimable(table?: string, lease?: Duration): AliasableExpression<SqlBool> {
  return job.and([isPending(table), isDue(table), isUnlocked(table, lease)])
}
