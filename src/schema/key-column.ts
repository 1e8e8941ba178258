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

/** Values of such columns: `{ tenant_id: 5 }`. */
export type KeyValues<Row> = { readonly [Column in ColumnOfKey<Row>]?: Selected<Row[Column]> }

type ColumnOfKey<Row> = {
  [Column in keyof Row & string]: Column extends ColumnKey<Row, keyof JobColumns>
    ? never
    : [Selected<Row[Column]>] extends [string | number | bigint | boolean | Date]
      ? Column
      : never
}[keyof Row & string]
