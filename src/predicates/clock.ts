import { type Expression, type RawBuilder, sql } from 'kysely'
import { volatile } from '../schema/fitted.js'

type Milliseconds = number | Expression<number>

/** The database's clock at the start of the transaction: what is due or expired is decided by it. */
export const now = (): RawBuilder<Date> => sql`now()`

/** The database's clock this very moment: what is written (a lease, a due time), also deep in a long transaction. */
export const clockTimestamp = (): RawBuilder<Date> => sql.raw(volatile.clock)

/** A share of 0 to 1, another for each row. */
export const chance = (): RawBuilder<number> => sql.raw(volatile.chance)

/** A time that a statement computes once, so that an index can be read from there on. */
export const once = (time: Expression<Date>): RawBuilder<Date> => sql`(select ${time})`

/** The isolation level of the transaction, as Postgres writes it. */
export const isolation = (): RawBuilder<string> => sql`pg_catalog.current_setting('transaction_isolation')`

/** The first moment of 1970. */
export const epoch = (): RawBuilder<Date> => sql`timestamptz 'epoch'`

/** A point in time of a program's. */
export const timestamp = (time: Date): RawBuilder<Date> => sql`${time}::timestamptz`

const interval = (milliseconds: Milliseconds) => sql`${milliseconds}::float8 * interval '1 millisecond'`

/** A point in time moved on, or back, by milliseconds. */
export const later = (time: Expression<Date>, by: Milliseconds): RawBuilder<Date> => sql`${time} + ${interval(by)}`
export const earlier = (time: Expression<Date>, by: Milliseconds): RawBuilder<Date> => sql`${time} - ${interval(by)}`

/**
 * Milliseconds from now until a time; works for `infinity`, which a subtraction of timestamps does not before PG 17. As a
 * numeric, whose text no setting changes.
 */
export const millisecondsUntil = (time: Expression<unknown>): RawBuilder<number> =>
  sql`((extract(epoch from ${time}) - extract(epoch from now())) * 1000)::numeric`
