import type { JobColumns } from './columns.js'
import type { ColumnKey, Selected } from './job-table.js'

/** The table's own columns by which jobs may be counted, ordered or shared out: never null, and compared by their value. */
export type KeyColumn<Row> = [ColumnOfKey<Row>] extends [never]
  ? 'the table has no column of its own that is never null and holds a text, a number, a boolean or a date'
  : ColumnOfKey<Row> & keyof Row // the compiler would print the alias in place of its names

/** A key as it is named: a column, or a list of them. */
export type SomeKey = string | readonly string[]

/** Any key that a table may have. */
export type AnyKey<Row> = KeyColumn<Row> | readonly [KeyColumn<Row>, ...KeyColumn<Row>[]]

/** A key that was named; in place of a column that can't be of one, why, and in place of one that is missing those that there are. */
export type KeyBy<Row, Named extends SomeKey> =
  Named extends AnyKey<Row>
    ? Named
    : Named extends readonly [string, ...string[]]
      ? { readonly [Place in keyof Named]: ColumnBy<Row, Named[Place]> }
      : ColumnBy<Row, Named>

type ColumnBy<Row, Column> =
  Column extends ColumnOfKey<Row> ? Column : Column extends keyof Row & string ? WhyNoKey<Row, Column> : KeyColumn<Row>

type WhyNoKey<Row, Column extends keyof Row & string> =
  Column extends ColumnKey<Row, keyof JobColumns>
    ? `'${Column}' is the queue's; a key is of columns of your own`
    : [null] extends [Selected<Row[Column]>]
      ? `'${Column}' may be null, and a key never is`
      : `'${Column}' holds no text, number, boolean or date, as a key does`

/** The table's own columns that hold a number for each job: never null. */
export type CountColumn<Row> = {
  [Column in ColumnOfKey<Row>]: [Selected<Row[Column]>] extends [number] ? Column : never
}[ColumnOfKey<Row>] &
  keyof Row // as above

type ColumnOfKey<Row> = {
  [Column in keyof Row & string]: Column extends ColumnKey<Row, keyof JobColumns>
    ? never
    : [Selected<Row[Column]>] extends [string | number | bigint | boolean | Date]
      ? Column
      : never
}[keyof Row & string]

/**
 * A key of a table: columns of its own, each with a value that is a text, a number or a boolean and not null. Mapped over the row's columns
 * whatever they are, so that the compiler names the one that does not serve.
 */
export type JobKey<Row> = {
  readonly [Column in keyof Row as Column extends ColumnKey<Row, keyof JobColumns> ? never : Column]?: Scalar<
    Exclude<Selected<Row[Column]>, null>
  >
} & { readonly [Column in ColumnKey<Row, keyof JobColumns>]?: 'a key is of columns of your own' }

type Scalar<Value> = [Value] extends [string | number | bigint | boolean]
  ? Value
  : 'a key is of texts, numbers and booleans'
