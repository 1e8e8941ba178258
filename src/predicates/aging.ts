import { type Expression, type RawBuilder, sql } from 'kysely'
import { now } from './clock.js'

/** A duration in whole microseconds, as Postgres counts time. */
export const inMicroseconds = (milliseconds: number): number => Math.max(1, Math.round(milliseconds * 1000))

/** Jobs that are due since before that, or since `-infinity`, count as due since then; and nothing counts for longer, as there are no dates. */
const longestAgo = sql`timestamptz '4000-01-01 00:00:00+00 BC'`
const longest = sql.lit('189000000000000000')

/**
 * The level of a due job: its priority, and one more for each `aging` (microseconds) since its `run_at`. As a float, which does not
 * overflow, and is exact up to 2^53.
 */
export function agedLevel(
  priority: Expression<unknown>,
  runAt: Expression<unknown>,
  aging: number,
): RawBuilder<number> {
  const age = sql`(extract(epoch from (${now()} - greatest(${runAt}, ${longestAgo}))) * 1000000)::numeric`
  return sql`(${priority} + div(${age}, ${sql.lit(aging)}))::float8`
}

/** The last `run_at` of jobs of a priority that have reached a level. */
export function hasReached(level: Expression<unknown>, priority: Expression<unknown>, aging: number): RawBuilder<Date> {
  const age = sql`least(greatest((${level} - ${priority}) * ${sql.lit(aging)}, 0), ${longest}::float8)`
  return sql`(${now()} - ${age} * interval '1 microsecond')`
}
