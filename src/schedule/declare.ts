import { type RawBuilder, sql } from 'kysely'
import { findTable, noSuchTable, writtenName } from '../schema/identify.js'
import { readJobTable } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { type KeptValues, keptValues } from './kept-values.js'
import { slotsOf } from './recurrence.js'
import type { Schedule } from './schedule.js'
import {
  isOfTable,
  isOneOf,
  isSchedule,
  nameOf,
  readSchedules,
  type ScheduleKey,
  type Schedules,
  timeOrNull,
} from './schedules-table.js'

/** The schedules that a runner fires: of its tables those that it declares, and those whose values are kept. */
export interface Served {
  readonly tables: readonly TableName[]
  readonly declared: readonly Declared[]
}

/** A declared schedule, and where it is kept. */
export interface Declared extends ScheduleKey {
  readonly schedule: Schedule
  readonly values: KeptValues | undefined
}

/**
 * A schedule's job table as the catalog has it, and its values as they are kept; what the code alone can say is not kept.
 * @throws NoSuchTableError, JobTableError
 */
export async function declared(schedule: Schedule): Promise<Declared> {
  const { jobs, name, values } = schedule
  const of = await jobTableOf(jobs)
  return { of, name, schedule, values: typeof values === 'function' ? undefined : keptValues(jobs, values) }
}

/** The job table as the catalog has it. @throws NoSuchTableError, JobTableError */
export async function jobTableOf({ db, name }: Jobs): Promise<TableName> {
  const written = writtenName(db, name)
  const table = await findTable(db, written)
  if (table === undefined) throw noSuchTable(written)
  await readJobTable(db.withoutPlugins(), table)
  return table
}

/**
 * Writes a schedule as it is declared. Where it is there already, its state stays; a changed recurrence counts from now, or from
 * the last slot of an interval.
 * @param by whether code declares it: what code declares is not written by hand
 * @returns whether it was written
 */
export async function writeSchedule(schedules: Schedules, given: Declared, by: 'code' | 'hand'): Promise<boolean> {
  const { of, name, schedule, values } = given
  const { recurrence, missed, skipIfUnfinished } = schedule
  const { cron, timeZone, every } = recurrence
  const first = slotsOf(recurrence).after(await clockOf(schedules))
  const columns = {
    ...{ job_schema: of.schema, job_table: of.name, name, cron, time_zone: timeZone, every_ms: every, missed },
    job_values: values === undefined ? null : JSON.stringify(values),
    skip_if_unfinished: skipIfUnfinished,
    declared: by === 'code',
  }
  const table = nameOf(schedules)
  const written = await sql`
    insert into ${table} as s (${sql.join(Object.keys(columns).map((column) => sql.ref(column)))}, next_slot)
    values (${sql.join(Object.values(columns))}, ${timeOrNull(first)})
    on conflict (job_schema, job_table, name) do update set ${changes(Object.keys(columns))}, next_slot = ${nextSlot}, updated_at = now()
    where ${by === 'code' ? hasChanged(Object.keys(columns)) : sql`not s.declared`}
    returning true`.execute(schedules.db)
  return written.rows.length > 0
}

const changes = (columns: readonly string[]): RawBuilder<unknown> =>
  sql.join(columns.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`))

const hasChanged = (columns: readonly string[]): RawBuilder<boolean> => {
  const of = (row: string) => sql.join(columns.map((column) => sql`${sql.ref(`${row}.${column}`)}::text`))
  return sql`(${of('s')}) is distinct from (${of('excluded')})`
}

/** That of before, where the recurrence is. */
const nextSlot = sql`case
  when (s.cron, s.time_zone, s.every_ms) is not distinct from (excluded.cron, excluded.time_zone, excluded.every_ms) then s.next_slot
  when excluded.every_ms is not null then coalesce(s.last_slot + excluded.every_ms * interval '1 millisecond', excluded.next_slot)
  else excluded.next_slot end`

async function clockOf({ db }: Schedules): Promise<Date> {
  const { rows } = await sql<{ now: string }>`select (extract(epoch from now()) * 1000)::text as now`.execute(db)
  return new Date(Math.floor(Number(rows[0]?.now)))
}

async function undeclared(
  schedules: Schedules,
  present: readonly ScheduleKey[],
  tables: readonly TableName[],
): Promise<ScheduleKey[]> {
  const isGone = sql<boolean>`declared and ${isOfTable(tables)} and not ${isOneOf(present)}`
  return readSchedules(schedules, isGone, sql`order by job_schema, job_table, name`)
}

/** Removes a schedule. @returns whether it was there */
export async function deleteSchedule(schedules: Schedules, key: ScheduleKey): Promise<boolean> {
  const gone = await sql`delete from ${nameOf(schedules)} where ${isSchedule(key)} returning true`.execute(schedules.db)
  return gone.rows.length > 0
}

/**
 * Writes all that a runner declares, and finds schedules of its tables that code declared once and does not any more.
 * @param remove whether those are removed
 */
export async function declareAll(
  { db, table }: Schedules,
  { declared, tables }: Served,
  remove: boolean,
): Promise<ScheduleKey[]> {
  return db.transaction().execute(async (trx) => {
    const schedules = { db: trx, table }
    // In one order, so that two runners that start don't wait for each other.
    const inOrder = declared.toSorted((one, other) => (keyText(one) < keyText(other) ? -1 : 1))
    for (const each of inOrder) await writeSchedule(schedules, each, 'code')
    const left = await undeclared(schedules, declared, tables)
    if (remove) for (const key of left) await deleteSchedule(schedules, key)
    return left
  })
}

const keyText = ({ of, name }: ScheduleKey): string => JSON.stringify([of.schema, of.name, name])
