import { type Expression, type RawBuilder, sql } from 'kysely'

/** The database's clock at the start of the transaction: what is due or expired is decided by it. */
export function now(): RawBuilder<Date> {
  return sql<Date>`now()`
}

/** The database's clock this very moment: what is written (a lease, a due time), also deep in a long transaction. */
export function clockTimestamp(): RawBuilder<Date> {
  return sql<Date>`clock_timestamp()`
}

/** The first moment of 1970. */
export function epoch(): RawBuilder<Date> {
  return sql<Date>`timestamptz 'epoch'`
}

/** So many milliseconds as an interval. */
export function interval(milliseconds: number | Expression<number>): RawBuilder<Date> {
  return sql<Date>`${milliseconds}::float8 * interval '1 millisecond'`
}

/** A point in time moved by milliseconds. */
export function later(time: Expression<Date>, milliseconds: number | Expression<number>): RawBuilder<Date> {
  return sql<Date>`${time} + ${interval(milliseconds)}`
}

/** A point in time moved back by milliseconds. */
export function earlier(time: Expression<Date>, milliseconds: number | Expression<number>): RawBuilder<Date> {
  return sql<Date>`${time} - ${interval(milliseconds)}`
}

/**
 * Milliseconds from now until a time; works for `infinity`, which a subtraction of timestamps does not before PG 17. As a
 * numeric, whose text no setting changes.
 */
export function millisecondsUntil(time: Expression<unknown>): RawBuilder<number> {
  return sql<number>`((extract(epoch from ${time}) - extract(epoch from now())) * 1000)::numeric`
}
