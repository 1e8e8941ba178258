import { type RawBuilder, sql } from 'kysely'
import { column } from './column.js'

/**
 * The number of a row's next attempt; 1 where manual SQL set it to null. At the last number that the column can hold
 * it stays: one row that can't be counted up would keep all others from being claimed. Such an attempt is the last.
 */
export function nextAttempt(): RawBuilder<number> {
  const attempts = column('attempts_count')
  const isOf = (bytes: number) => sql`pg_column_size(${attempts}) = ${sql.lit(bytes)}`
  const last = sql`case when ${isOf(2)} then 32767 when ${isOf(4)} then 2147483647 else 9223372036854775807 end`
  return sql<number>`case when ${attempts} < ${last} then ${attempts} + 1 else coalesce(${attempts}, 1) end`
}
