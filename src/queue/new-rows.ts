import type { InsertObject } from 'kysely'
import { clockTimestamp, later, now } from '../predicates/clock.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import type { JobAlias, JobDatabase } from '../schema/job-database.js'
import { sizeOf, widthOf } from './row-size.js'

/** A row to insert, seen as job columns: the door's types have checked the user's. */
export type NewRow = InsertObject<JobDatabase, JobAlias>

/** Postgres takes 65,535 parameters in a statement; half of that keeps a statement's plan and text small too. */
const maxParameters = 32_000

/** About the most bytes of values in a statement of more than one row: Postgres and both ends hold it all at once. */
const maxBytes = 8_000_000

/** A row without a value of its own still needs a column to be inserted by; `run_at` as its default would have it. */
export function due({ delay }: { readonly delay?: Duration | undefined }): (row: object) => NewRow {
  const wait = delay === undefined ? undefined : milliseconds(delay, 'delay')
  return (row) => {
    if (wait !== undefined) return { ...row, run_at: later(clockTimestamp(), wait) }
    return Object.values(row).every((value) => value === undefined) ? { run_at: now() } : row
  }
}

/** Rows in their order, as many at once as a statement may have. */
export function inChunks<Row extends NewRow>(rows: readonly Row[], maxRows = Number.POSITIVE_INFINITY): Row[][] {
  const most = Math.max(1, Math.min(maxRows, Math.floor(maxParameters / Math.max(1, widthOf(rows)))))
  const chunks: Row[][] = []
  let bytes = 0
  for (const row of rows) {
    const size = rows.length === 1 ? 0 : sizeOf(row)
    bytes += size
    const chunk = chunks.at(-1)
    if (chunk !== undefined && chunk.length < most && bytes <= maxBytes) chunk.push(row)
    else {
      chunks.push([row])
      bytes = size
    }
  }
  return chunks
}
