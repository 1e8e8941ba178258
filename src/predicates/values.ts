import { type Expression, type RawBuilder, sql } from 'kysely'
import type { JobId } from '../schema/columns.js'
import { column } from './column.js'

/**
 * The value that belongs to the row's id: `values[i]` where `ids[i]` is the row's. A lookup in place of a join
 * with unnest(), which made the planner scan the table (72 to 96 µs a job against 15 to 20).
 */
export function valueFor(ids: readonly JobId[], values: readonly (string | null)[], type: 'text'): RawBuilder<string>
export function valueFor(ids: readonly JobId[], values: readonly (number | null)[], type: 'float8'): RawBuilder<number>
export function valueFor(
  ids: readonly JobId[],
  values: readonly (string | number | null)[],
  type: 'text' | 'float8',
): RawBuilder<string | number> {
  return sql`(${values}::${sql.raw(type)}[])[array_position(${ids}, ${column('id')})]`
}

/**
 * A JSON value as a value of the column's own type, whatever that is; the row's type does the conversion. So a
 * `result` may be jsonb, text, a number or an array, and a computed status serves an enum as well as text.
 */
export function asColumnType<Value>(name: 'result' | 'status', json: Expression<unknown>): RawBuilder<Value> {
  const object = sql`jsonb_build_object(${sql.lit(name)}::text, ${json})`
  return sql<Value>`(jsonb_populate_record(${sql.ref('job')}, ${object})).${sql.ref(name)}`
}

/** A JSON text as jsonb. */
export function parsedJson(text: Expression<string>): RawBuilder<unknown> {
  return sql`${text}::jsonb`
}

/** The history of failed attempts with one more entry: `{ attempt, at, error }`. */
export function appendedError(error: Expression<string>): RawBuilder<unknown> {
  const entry = sql`jsonb_build_object('attempt', ${column('attempts_count')}, 'at', clock_timestamp(), 'error', ${error})`
  return sql`coalesce(to_jsonb(${column('errors')}), '[]'::jsonb) || ${entry}`
}
