import type { AliasableExpression, Expression, SqlBool } from 'kysely'
import type { JobId } from '../schema/columns.js'
import { column, job } from './column.js'

/**
 * `id = any(...)` over an array parameter, or over a sub-select that runs exactly once. The planner then always
 * goes by the primary key; `in (select ... limit n)` and joins do not under stale statistics (DESIGN 3.2, 3.7).
 */
export function hasIdIn(
  ids: readonly JobId[] | Expression<{ id: JobId }>,
  table?: string,
): AliasableExpression<SqlBool> {
  const array = isExpression(ids) ? job.fn('array', [ids]) : job.val(ids)
  return job(column('id', table), '=', job.fn<JobId>('any', [array]))
}

function isExpression(ids: readonly JobId[] | Expression<{ id: JobId }>): ids is Expression<{ id: JobId }> {
  return !Array.isArray(ids)
}
