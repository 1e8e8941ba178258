import { type Expression, type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import { timestamp } from '../predicates/clock.js'
import type { JobDatabase } from '../schema/job-database.js'
import { jobsOf } from '../schema/job-database.js'
import type { ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { schedulesTable, sideTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import type { Missed } from './due-slots.js'
import type { KeptValues } from './kept-values.js'
import type { KeptRecurrence } from './recurrence.js'

/** The table of schedules: a handle past all plugins, and its name as the catalog has it. */
export interface Schedules {
  readonly db: Kysely<JobDatabase>
  readonly table: TableName
}

/** Which schedule: the job table as the catalog has it, and the schedule's name. */
export interface ScheduleKey {
  readonly of: TableName
  readonly name: string
}

/** A schedule as the table has it. */
export interface KeptSchedule extends ScheduleKey, KeptRecurrence {
  /** Null: the code that declares it gives them. */
  readonly values: KeptValues | null
  readonly missed: Missed
  readonly skipIfUnfinished: boolean
  /** Whether code declares it. */
  readonly declared: boolean
  /** Since when no running code that declares it was seen. */
  readonly undeclaredAt: Date | undefined
  readonly nextSlot: Date | undefined
  readonly lastSlot: Date | undefined
  /** The id of the last job that it made. */
  readonly lastJob: string | null
  /** When it was triggered by hand last, and how many jobs that is to make. */
  readonly triggeredAt: Date | undefined
  readonly triggers: number
  readonly pausedAt: Date | undefined
  /** The database's clock. */
  readonly now: Date
}

/**
 * The table as the user's plugins and the search_path find it.
 * @throws SideTableError
 */
export async function schedulesOf<DB>(db: ReadonlyQueryable<DB>, use: 'read' | 'write' = 'write'): Promise<Schedules> {
  const jobs = jobsOf(db, schedulesTable.name)
  return { db: jobs.db.withoutPlugins(), table: await sideTable(jobs.db, schedulesTable, use) }
}

/** Its name in a statement. */
export const nameOf = ({ table }: Schedules): RawBuilder<unknown> => sql.raw(quotedName(table))

/** Whether it is this schedule. */
export const isSchedule = ({ of, name }: ScheduleKey): RawBuilder<SqlBool> =>
  sql`(job_schema, job_table, name) = (${of.schema}, ${of.name}, ${name})`

/** Whether it is one of these. */
export function isOneOf(keys: readonly ScheduleKey[]): RawBuilder<SqlBool> {
  const [schemas, tables] = [keys.map(({ of }) => of.schema), keys.map(({ of }) => of.name)]
  const names = keys.map(({ name }) => name)
  return sql`(job_schema, job_table, name) in (select * from unnest(${schemas}::text[], ${tables}::text[], ${names}::text[]))`
}

/** Whether its jobs are of one of these tables. */
export function isOfTable(tables: readonly TableName[]): RawBuilder<SqlBool> {
  const [schemas, names] = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)]
  return sql`(job_schema, job_table) in (select * from unnest(${schemas}::text[], ${names}::text[]))`
}

/** The schedules that a condition and a clause behind it leave. */
export async function readSchedules(
  schedules: Schedules,
  condition: Expression<SqlBool>,
  rest: RawBuilder<unknown>,
): Promise<KeptSchedule[]> {
  const query = sql`select ${row} from ${nameOf(schedules)} s where ${condition} ${rest}`.compile(schedules.db)
  const texts = await textsOf(schedules.db, query)
  return texts.map((text) => keptSchedule(JSON.parse(text ?? '') as Row)) // made below
}

const milliseconds = (time: string): RawBuilder<unknown> => sql.raw(`(extract(epoch from ${time}) * 1000)::numeric`)

/** As text past all type parsers. */
const row = asJsonText([
  ...['job_schema', 'job_table', 'name', 'cron', 'time_zone', 'every_ms', 'job_values'].map((name) => sql.ref(name)),
  ...['missed', 'skip_if_unfinished', 'declared', 'triggers', 'last_job'].map((name) => sql.ref(name)),
  ...['next_slot', 'last_slot', 'triggered_at', 'paused_at', 'undeclared_at'].map(milliseconds),
  milliseconds('now()'),
])

type Row = readonly [
  ...key: [schema: string, table: string, name: string],
  ...recurrence: [cron: string | null, timeZone: string | null, every: number | null],
  values: KeptValues | null,
  ...options: [missed: Missed, skipIfUnfinished: boolean, declared: boolean],
  triggers: number,
  lastJob: string | null,
  ...times: [next: number | null, last: number | null, triggered: number | null, paused: number | null],
  undeclared: number | null,
  now: number,
]

function keptSchedule(row: Row): KeptSchedule {
  const [schema, table, name, cron, timeZone, every, values, missed, skipIfUnfinished, declared, ...rest] = row
  const [triggers, lastJob, next, last, triggered, paused, undeclared, now] = rest
  return {
    ...{ of: { schema, name: table }, name, cron, timeZone, every, values, missed, skipIfUnfinished, declared },
    ...{ nextSlot: dateAt(next), lastSlot: dateAt(last), triggeredAt: dateAt(triggered), pausedAt: dateAt(paused) },
    ...{ undeclaredAt: dateAt(undeclared), triggers, lastJob, now: new Date(Math.floor(now)) },
  }
}

const dateAt = (time: number | null): Date | undefined => (time === null ? undefined : new Date(Math.floor(time)))

/** A time, or none. */
export const timeOrNull = (time: Date | undefined): RawBuilder<unknown> =>
  time === undefined ? sql`null` : timestamp(time)

/** How long (milliseconds) a statement waits for a lock, and the server for the next statement: a runner that is gone is to hold no row. */
const longestLockWait = 10_000
const longestSilence = 20_000

/** Runs a transaction of our own, again where others undo it: each of its statements sees what was committed before it. */
export function inTransaction<Result>(
  { db, table }: Schedules,
  work: (schedules: Schedules) => Promise<Result>,
): Promise<Result> {
  if (db.isTransaction) return work({ db, table })
  const transaction = db.transaction().setIsolationLevel('read committed')
  const working = async (trx: Schedules['db']) => {
    const bounds = `set local lock_timeout = ${longestLockWait}; set local idle_in_transaction_session_timeout = ${longestSilence}`
    await sql.raw(bounds).execute(trx)
    return work({ db: trx, table })
  }
  return unlessUndone(db, () => transaction.execute(working))
}
