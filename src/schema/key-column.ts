import type { JobColumns } from './columns.js'
import type { ColumnKey, Selected } from './job-table.js'

/** The table's own columns by which jobs may be counted, ordered or shared out: never null, and compared by their value. */
export type KeyColumn<Row> = [ColumnOfKey<Row>] extends [never]
  ? 'the table has no column of its own that is never null and holds a text, a number, a boolean or a date'
  : ColumnOfKey<Row> & string // as above, names in place of the alias

type ColumnOfKey<Row> = {
  [Column in keyof Row & string]: Column extends ColumnKey<Row, keyof JobColumns>
    ? never
    : [Selected<Row[Column]>] extends [string | number | bigint | boolean | Date]
      ? Column
      : never
}[keyof Row & string]
