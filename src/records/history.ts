import { type Kysely, sql } from 'kysely'
import { identifyTable } from '../schema/identify.js'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { historyTable, sideTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { type Histogram, quantile } from './histogram.js'
import { countColumns, type HistoryStep, histogramColumns, nameOf, sampleColumns, steps } from './history-table.js'
import { type Counted, counted } from './stats.js'

/** Which part of the history. */
export interface HistoryOptions {
  /** The first moment. Default: an hour before `to`. */
  readonly from?: Date | undefined
  /** The last moment. Default: now. */
  readonly to?: Date | undefined
  /** Default: by minutes up to six hours, which are kept for two days, else by hours. */
  readonly step?: HistoryStep | undefined
}

/** How long jobs waited or ran, in milliseconds: half of them at most `p50`. */
export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** A minute or an hour of a job table. */
export interface HistoryPoint extends Readonly<Record<Counted, number>> {
  /** When it began. */
  readonly at: Date
  /** Whether any runner wrote about it: where none did, nothing is known of it, and all counts are 0. */
  readonly recorded: boolean
  /** Attempts that succeeded, failed (with or without another to follow) or timed out, a second; of the step that is now, until now. */
  readonly rate: number
  /** Of attempts whose handler was called; null where there are none. */
  readonly wait: Quantiles | null
  readonly duration: Quantiles | null
  /** The highest of samples that are taken once a minute: 10,000 means so many or more. Null where none was taken. */
  readonly due: number | null
  readonly pending: number | null
  readonly running: number | null
  /** The same: milliseconds since the job that waited longest became due; 0 where none was due. */
  readonly oldestWait: number | null
}

/** A part of the history that can't be shown; the message has the reason. */
export class HistoryOptionError extends RangeError {
  override readonly name = 'HistoryOptionError'
  readonly code = 'INVALID_OPTION'
}

const minutesUpTo = 6 * steps.hour
const mostPoints = 10_000

/**
 * What became of the jobs of a table, and how much waited: a point for each minute or hour, in order and without gaps, ready to be drawn. By the table
 * that `createJobHistory` makes and runners write, every ten seconds.
 *
 * @example const points = await jobHistory(db, 'send_mail_jobs', { from: new Date(Date.now() - 86_400_000) })
 * @throws HistoryOptionError, SideTableError, NoSuchTableError
 */
export async function jobHistory<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: HistoryOptions = {},
): Promise<HistoryPoint[]> {
  const range = rangeOf(options)
  const jobs = jobsOf(db, table)
  const of = await identifyTable(jobs.db, table)
  return historyOf(jobs.db, await sideTable(jobs.db, historyTable, 'read'), of, range)
}

interface HistoryRange {
  readonly from: Date | undefined
  readonly to: Date | undefined
  readonly step: HistoryStep
}

/** @throws HistoryOptionError */
function rangeOf({ from, to, step, ...others }: HistoryOptions): HistoryRange {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw new HistoryOptionError(`jobHistory: ${unknown}: no such option; there are from, to, step`)
  for (const [name, time] of Object.entries({ from, to })) {
    if (time !== undefined && !(time instanceof Date && Number.isFinite(time.getTime())))
      throw new HistoryOptionError(`jobHistory: ${name}: ${shown(time)} is invalid; give a Date`)
  }
  if (step !== undefined && !Object.hasOwn(steps, step))
    throw new HistoryOptionError(`jobHistory: step: ${shown(step)} is invalid; give 'minute' or 'hour'`)
  const length = from === undefined ? steps.hour : (to?.getTime() ?? Date.now()) - from.getTime()
  const chosen = step ?? (length <= minutesUpTo ? 'minute' : 'hour')
  if (length / steps[chosen] > mostPoints)
    throw new HistoryOptionError(
      `jobHistory: from ${from?.toISOString()} these are more than ${mostPoints} ${chosen}s; give a later from, or step: 'hour'`,
    )
  return { from, to, step: chosen }
}

const bin = (step: HistoryStep, time: unknown) =>
  sql`date_bin(${sql.lit(`1 ${step}`)}::interval, ${time}, timestamptz 'epoch')`

const milliseconds = (time: string) => sql.raw(`(extract(epoch from ${time}) * 1000)::numeric`)

/** The same for a table that is known, from a side table that is. */
export async function historyOf(
  db: Kysely<JobDatabase>,
  side: TableName,
  of: TableName,
  { from, to, step }: HistoryRange,
): Promise<HistoryPoint[]> {
  const plain = db.withoutPlugins()
  const end = to === undefined ? sql`now()` : sql`${to.toISOString()}::timestamptz`
  const start = from === undefined ? sql`${end} - interval '1 hour'` : sql`${from.toISOString()}::timestamptz`
  const seconds = sql`extract(epoch from least(now(), point.began_at + ${sql.lit(`1 ${step}`)}::interval) - point.began_at)`
  const names = [...counted.map((name) => countColumns[name]), ...histogramColumns, ...sampleColumns]
  const values = asJsonText([
    milliseconds('point.began_at'),
    sql`(${seconds})::numeric`,
    sql`h.began_at is not null`,
    ...names.map((name) => sql.ref(`h.${name}`)),
  ])
  const query = sql`
    select ${values}
    from pg_catalog.generate_series(${bin(step, start)}, ${end}, ${sql.lit(`1 ${step}`)}::interval) as point(began_at)
    left join ${nameOf(side)} h on h.job_schema = ${of.schema} and h.job_table = ${of.name} and h.step = ${sql.lit(step)}
      and h.began_at = point.began_at
    order by point.began_at`
  return (await textsOf(plain, query.compile(plain))).map((text) => pointOf(JSON.parse(text ?? '') as Row)) // just made
}

type Row = readonly [at: number, seconds: number, recorded: boolean, ...values: unknown[]]

function pointOf([at, seconds, recorded, ...values]: Row): HistoryPoint {
  const entries = counted.map((name, place) => [name, Number(values[place] ?? 0)] as const)
  const counts = Object.fromEntries(entries) as Record<Counted, number> // all of them
  const [waits, durations, due, pending, running, oldestWait] = values.slice(counted.length) as Rest // as they were asked for
  const ended = counts.succeeded + counts.retry + counts.failed + counts.timedOut
  return {
    ...{ at: new Date(at), recorded, rate: seconds > 0 ? ended / seconds : 0, ...counts },
    ...{ wait: quantilesOf(waits), duration: quantilesOf(durations) },
    ...{ due, pending, running, oldestWait },
  }
}

type Rest = [
  waits: number[] | null,
  durations: number[] | null,
  due: number | null,
  pending: number | null,
  running: number | null,
  oldestWait: number | null,
]

function quantilesOf(counts: readonly number[] | null): Quantiles | null {
  const histogram: Histogram = { counts: counts ?? [], sum: 0 }
  const [p50, p95, p99] = [quantile(histogram, 0.5), quantile(histogram, 0.95), quantile(histogram, 0.99)]
  return p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 }
}

/** How many jobs of each table succeeded in the last hour, to the minute, by the names as `quotedName` has them. */
export async function succeededLastHour(
  db: Kysely<JobDatabase>,
  side: TableName,
  tables: readonly TableName[],
): Promise<Map<string, number>> {
  const plain = db.withoutPlugins()
  const query = sql`
    select ${asJsonText([sql`h.job_schema`, sql`h.job_table`, sql`pg_catalog.sum(h.succeeded)`])}
    from pg_catalog.jsonb_to_recordset(${JSON.stringify(tables)}::jsonb) as given(schema text, name text)
    join ${nameOf(side)} h on h.job_schema = given.schema and h.job_table = given.name and h.step = 'minute'
      and h.began_at > now() - interval '1 hour'
    group by h.job_schema, h.job_table`
  const texts = await textsOf(plain, query.compile(plain))
  const rows = texts.map((text) => JSON.parse(text ?? '') as [schema: string, name: string, count: number]) // just made
  return new Map(rows.map(([schema, name, count]) => [quotedName({ schema, name }), count]))
}
