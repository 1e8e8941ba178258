import type { JobColumns } from './columns.js'
import type { ColumnKey, Selected } from './job-table.js'

/** The table's own columns by which jobs may be counted, ordered or shared out: never null, and compared by their value. */
export type KeyColumn<Row> = [ColumnOfKey<Row>] extends [never]
  ? 'the table has no column of its own that is never null and holds a text, a number, a boolean or a date'
  : ColumnOfKey<Row> & string // as above, names in place of the alias

/** The table's own columns that hold a number for each job: never null. */
export type CountColumn<Row> = {
  [Column in ColumnOfKey<Row>]: [Selected<Row[Column]>] extends [number] ? Column : never
}[ColumnOfKey<Row>]

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
