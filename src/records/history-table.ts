import { type RawBuilder, sql } from 'kysely'
import { quotedName, type TableName } from '../schema/names.js'
import { type Counted, counted } from './stats.js'

/** How history is cut: each step has rows of its own, which are written at once, so that nothing has to be summed up later. */
export const steps = { minute: 60_000, hour: 3_600_000 } as const

/** A step of history: a minute or an hour. */
export type HistoryStep = keyof typeof steps

/** The columns of what is counted. */
export const countColumns = {
  claimed: 'claimed',
  succeeded: 'succeeded',
  retry: 'retry',
  failed: 'failed',
  timedOut: 'timed_out',
  cancelled: 'cancelled',
  snoozed: 'snoozed',
  released: 'released',
  lost: 'lost',
  rescued: 'rescued',
} as const satisfies Record<Counted, string>

/** The same, as a list in SQL. */
export const countList: RawBuilder<unknown> = sql.raw(counted.map((name) => countColumns[name]).join(', '))

/** The columns of the two histograms. */
export const histogramColumns = ['wait_counts', 'duration_counts'] as const

/** The columns of samples. */
export const sampleColumns = ['due', 'pending', 'running', 'oldest_wait_ms'] as const

export const nameOf = (table: TableName): RawBuilder<unknown> => sql.raw(quotedName(table))

/** When the step began that is now, in UTC whatever the session's time zone: in some zones hours begin at half past. */
export const began = (step: RawBuilder<unknown>): RawBuilder<Date> =>
  sql`date_bin(('1 ' || ${step})::interval, now(), timestamptz 'epoch')`

/** The rows of a table in steps, of which each is given once. */
export const conflict = sql`on conflict (job_schema, job_table, step, began_at) do update set`
