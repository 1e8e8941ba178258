import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { column } from './column.js'

/**
 * A time as the due index of tables with `priority` is ordered by it: in another form than `run_at` itself, so that the
 * planner never takes that index for the due jobs of one level, which it would read all levels for (10,231 buffers
 * against 37). The same order, and the same in every session.
 */
export const inDueOrder = (time: Expression<unknown>): RawBuilder<Date> => sql`(${time} at time zone 'UTC')`

/**
 * Due from a time on. Compared as a row: of a plain `run_at >= ...` beside `run_at <= now()`, with a time that it can't
 * know, the planner takes one row in 200 for true, and so it reads and sorts all of a level for 1,000 rows of it.
 */
export const isDueFrom = (time: Expression<Date>): RawBuilder<SqlBool> =>
  sql`(${column('run_at')}, true) >= (${time}, true)`

/** The same: due up to a time, and after it. */
export const isDueUntil = (time: Expression<Date>): RawBuilder<SqlBool> =>
  sql`(${column('run_at')}, true) <= (${time}, true)`
export const isDueAfter = (time: Expression<Date>): RawBuilder<SqlBool> =>
  sql`(${column('run_at')}, true) > (${time}, true)`
