import { type Expression, type RawBuilder, sql } from 'kysely'

/**
 * A time as the due index of tables with `priority` is ordered by it: in another form than `run_at` itself, so that the
 * planner never takes that index for the due jobs of one level, which it would read all levels for (10,231 buffers
 * against 37). The same order, and the same in every session.
 */
export const inDueOrder = (time: Expression<unknown>): RawBuilder<Date> => sql`(${time} at time zone 'UTC')`
