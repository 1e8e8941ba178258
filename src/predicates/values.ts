import { type Expression, type RawBuilder, sql } from 'kysely'
import type { JobId } from '../schema/columns.js'
import { own } from '../schema/own-names.js'
import { clockTimestamp } from './clock.js'
import { column } from './column.js'
import { placeIn, type Rows } from './rows.js'

/**
 * The value that belongs to a row: `values[i]` where the row is the i-th of those that are written. A lookup in place of a
 * join with unnest(), which made the planner scan the table (72 to 96 µs a job against 15 to 20). No value is null: with
 * `array_nulls = off` it would be the text NULL. What stands for null is written as null.
 */
export function textFor(rows: Rows, values: readonly string[], empty?: string): RawBuilder<string> {
  const value = sql<string>`(${values}::text[])[${placeIn(rows)}]`
  // No bare element of an array: as the value of an update it ends the process of a server with Citus 13.2.
  return empty === undefined ? sql`coalesce(${value}, '')` : sql<string>`nullif(${value}, ${empty})`
}

/** The same of numbers. */
export const numberFor = (rows: Rows, values: readonly number[], empty: number): RawBuilder<number> =>
  sql`nullif((${values}::float8[])[${placeIn(rows)}], ${empty}::float8)`

/**
 * A JSON value as a value of the column's own type, whatever that is; the row's type does the conversion. So a
 * `result` may be jsonb, text, a number or an array, and a computed status serves an enum as well as text. The row is
 * written `alias.*`, as the bare alias would mean a column of that name.
 */
export function asColumnType<Value>(name: 'result' | 'status', json: Expression<unknown>): RawBuilder<Value> {
  const object = sql`jsonb_build_object(${sql.lit(name)}::text, ${json})`
  return sql<Value>`(jsonb_populate_record(${sql.id(own.row)}.*, ${object})).${sql.ref(name)}`
}

/** The id of the row that a statement writes, said within a sub-select over another. Not as a reference: plugins qualify those. */
export const idOfWritten = (): RawBuilder<JobId> => sql`${sql.id(own.row)}.${sql.id('id')}`

/** A JSON text as jsonb. */
export const parsedJson = (text: Expression<string>): RawBuilder<unknown> => sql`${text}::jsonb`

/** The history of failed attempts with one more entry: `{ attempt, at, error }`. */
export function appendedError(error: Expression<string>): RawBuilder<unknown> {
  const entry = sql`jsonb_build_object('attempt', ${column('attempts_count')}, 'at', ${clockTimestamp()}, 'error', ${error})`
  return sql`coalesce(to_jsonb(${column('errors')}), '[]'::jsonb) || ${entry}`
}
