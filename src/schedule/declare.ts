import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { findTable, noSuchTable, writtenName } from '../schema/identify.js'
import { readJobTable } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { unlessUndone } from '../schema/undone.js'
import { grace } from './due-slots.js'
import { type KeptValues, keptValues } from './kept-values.js'
import { ScheduleError, slotsOf } from './recurrence.js'
import type { Schedule } from './schedule.js'
import {
  inTransaction,
  isOfTable,
  isOneOf,
  type KeptSchedule,
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
 * Schedules with their job tables as the catalog has them, and their values as they are kept; what the code alone can say is not kept.
 * @throws NoSuchTableError, JobTableError; ScheduleError where two have one name
 */
export async function declaredOf(schedules: readonly Schedule[]): Promise<Declared[]> {
  const tables = new Map<string, TableName>()
  const found = new Map<string, Declared>()
  for (const schedule of schedules) {
    const { jobs, name, values } = schedule
    const written = JSON.stringify(writtenName(jobs.db, jobs.name))
    const of = tables.get(written) ?? (await jobTableOf(jobs))
    tables.set(written, of)
    const key = keyText({ of, name })
    if (found.has(key))
      throw new ScheduleError('INVALID_SCHEDULE', `schedules: ${shown(name)} of ${jobs.name} is declared twice`)
    found.set(key, { of, name, schedule, values: typeof values === 'function' ? undefined : keptValues(jobs, values) })
  }
  return [...found.values()]
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
 * Writes schedules as they are declared. Where one is there already, its state stays; what has changed of its recurrence counts from now,
 * of an interval from its last slot.
 * @param by whether code declares them: what code declares is not written by hand
 * @returns those that stand, declared by code, and so were not written
 */
export function writeSchedules(
  schedules: Schedules,
  given: readonly Declared[],
  by: 'code' | 'hand',
): Promise<readonly KeptSchedule[]> {
  return inTransaction(schedules, async (trx) => {
    const now = await clockOf(trx)
    const before = await presentOf(trx, given, sql``)
    const refused = given.filter((each) => by === 'hand' && before.get(keyText(each))?.declared)
    const isNew = (each: Declared) => !refused.includes(each) && isChanged(each, before.get(keyText(each)), by, now)
    // In one order, so that two runners that start don't wait for each other in a circle.
    const changed = given.filter(isNew).toSorted((one, other) => (keyText(one) < keyText(other) ? -1 : 1))
    // As they are when nobody fires them any more.
    const present = await presentOf(trx, changed, sql`order by job_schema, job_table, name for update of s`)
    for (let n = 0; n < changed.length; n += rowsOfStatement) {
      const some = changed.slice(n, n + rowsOfStatement)
      await upsert(
        trx,
        some.map((each) => rowOf(each, present.get(keyText(each)), by, now)),
      )
    }
    return refused.flatMap((each) => before.get(keyText(each)) ?? [])
  })
}

async function presentOf(trx: Schedules, keys: readonly ScheduleKey[], rest: RawBuilder<unknown>) {
  const rows = keys.length === 0 ? [] : await readSchedules(trx, isOneOf(keys), rest)
  return new Map(rows.map((row) => [keyText(row), row]))
}

/** The most rows of one statement. */
const rowsOfStatement = 500

const keyText = ({ of, name }: ScheduleKey): string => JSON.stringify([of.schema, of.name, name])

function isChanged(given: Declared, present: KeptSchedule | undefined, by: 'code' | 'hand', now: Date): boolean {
  if (present === undefined || by === 'hand') return true
  const { schedule, values = null } = given
  const { missed, skipIfUnfinished } = schedule
  const isSame = present.declared && missed === present.missed && skipIfUnfinished === present.skipIfUnfinished
  return !isSame || !staysInTime(given, present, now) || JSON.stringify(values) !== JSON.stringify(present.values)
}

function isSameRecurrence({ schedule }: Declared, present: KeptSchedule): boolean {
  const { cron, timeZone, every } = schedule.recurrence
  return cron === present.cron && timeZone === present.timeZone && every === present.every
}

/** How far (milliseconds) a slot may be beyond where it is expected: the database's clock may have been wrong when it was written. */
const leap = 3_600_000

/** Whether the slot that a schedule waits for stays as it is. */
function staysInTime(given: Declared, present: KeptSchedule, now: Date): boolean {
  const expected = slotsOf(given.schedule.recurrence).after(now)
  const isLeapt = (present.nextSlot?.getTime() ?? 0) > (expected?.getTime() ?? Number.POSITIVE_INFINITY) + leap
  return isSameRecurrence(given, present) && !isLeapt
}

/** A row, by its columns. */
function rowOf(given: Declared, present: KeptSchedule | undefined, by: 'code' | 'hand', now: Date) {
  const { of, name, schedule, values } = given
  const { cron, timeZone, every } = schedule.recurrence
  const isKept = present !== undefined && staysInTime(given, present, now)
  const late = !isKept && present !== undefined && isStillDue(present, now) ? present.nextSlot : undefined
  return {
    ...{ job_schema: of.schema, job_table: of.name, name, cron, time_zone: timeZone, every_ms: every },
    job_values: values === undefined ? null : JSON.stringify(values),
    ...{ missed: schedule.missed, skip_if_unfinished: schedule.skipIfUnfinished, declared: by === 'code' },
    next_slot: timeOrNull(isKept ? present.nextSlot : nextSlot(given, present, now)),
    // A slot that has come and was not fired yet is not lost to the change.
    triggered_at: timeOrNull(present?.triggeredAt ?? late),
    triggers: (present?.triggers ?? 0) + (late === undefined ? 0 : 1),
  }
}

function isStillDue({ nextSlot, pausedAt, missed }: KeptSchedule, now: Date): boolean {
  if (nextSlot === undefined || pausedAt !== undefined || nextSlot > now) return false
  return missed !== 'skip' || now.getTime() - nextSlot.getTime() <= grace
}

/** The first slot of a recurrence that is new: of an interval on the beat of the last slot, but none that has passed. */
function nextSlot({ schedule }: Declared, present: KeptSchedule | undefined, now: Date): Date | undefined {
  const slots = slotsOf(schedule.recurrence)
  const last = present !== undefined && present.every !== null ? present.lastSlot : undefined
  if (schedule.recurrence.every === null || last === undefined || last > now) return slots.after(now)
  return slots.after(slots.upTo(now, last, 1)[0] ?? now)
}

async function upsert({ db, table }: Schedules, rows: readonly ReturnType<typeof rowOf>[]): Promise<void> {
  const [first] = rows
  if (first === undefined) return
  const columns = Object.keys(first)
  const changes = columns.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`)
  await sql`
    insert into ${nameOf({ db, table })} (${list(columns.map((column) => sql.ref(column)))})
    values ${list(rows.map((row) => sql`(${list(Object.values(row))})`))}
    on conflict (job_schema, job_table, name) do update set ${list(changes)}, undeclared_at = null, updated_at = excluded.updated_at`.execute(
    db,
  )
}

const list = (parts: readonly unknown[]): RawBuilder<unknown> => sql.join(parts)

async function clockOf({ db }: Schedules): Promise<Date> {
  const { rows } = await sql<{ now: string }>`select (extract(epoch from now()) * 1000)::text as now`.execute(db)
  return new Date(Math.floor(Number(rows[0]?.now)))
}

/** How long a schedule is kept that no running code declares any more: during a deploy code of both versions runs. */
const keptUndeclared = sql`interval '1 hour'`

/**
 * Marks the schedules of a runner's tables that code declared once and its own does not, takes the mark from those it declares, and
 * removes what has been marked for long.
 * @param mark whether the runner has a say about those that it does not declare
 * @returns those that were marked now; without a say, all that code declares but its own
 */
export async function reviewDeclared(
  { db, table }: Schedules,
  { declared, tables }: Served,
  mark: boolean,
): Promise<ScheduleKey[]> {
  const [name, isOther] = [
    nameOf({ db, table }),
    sql<boolean>`declared and ${isOfTable(tables)} and not ${isOneOf(declared)}`,
  ]
  const write = (query: RawBuilder<unknown>) => unlessUndone(db, () => query.execute(db))
  await write(sql`update ${name} set undeclared_at = null where undeclared_at is not null and ${isOneOf(declared)}`)
  if (!mark) return readSchedules({ db, table }, isOther, sql`order by job_schema, job_table, name`)
  const isNew = sql<boolean>`${isOther} and undeclared_at is null`
  const left = await readSchedules({ db, table }, isNew, sql`order by job_schema, job_table, name`)
  if (left.length > 0) {
    await write(sql`update ${name} set undeclared_at = now() where undeclared_at is null and ${isOneOf(left)}`)
  }
  await write(sql`delete from ${name} where ${isOther} and undeclared_at < now() - ${keptUndeclared}`)
  return left
}

/** Removes schedules. @returns whether there were some */
export async function deleteSchedules(schedules: Schedules, isMeant: RawBuilder<SqlBool>): Promise<boolean> {
  const query = sql`delete from ${nameOf(schedules)} where ${isMeant} returning true`
  const gone = await unlessUndone(schedules.db, () => query.execute(schedules.db))
  return gone.rows.length > 0
}
