import type { Expression, SqlBool } from 'kysely'
import { now } from './clock.js'
import { column, job } from './column.js'
import { isPending } from './status.js'

/** Its time has come: `run_at <= now()` by the database's clock, inclusive. */
export function isDue(table?: string): Expression<SqlBool> {
  return job(column('run_at', table), '<=', now())
}

/** Held by nobody. */
export function isUnlocked(table?: string): Expression<SqlBool> {
  return job(column('locked_by', table), 'is', null)
}

/**
 * What a worker may claim: pending, due and unlocked.
 *
 * @example
 * const waiting = await db.selectFrom('jobs').selectAll().where(isClaimable()).execute()
 */
export function isClaimable(table?: string): Expression<SqlBool> {
  return job.and([isPending(table), isDue(table), isUnlocked(table)])
}
