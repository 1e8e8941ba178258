import { type RawBuilder, sql } from 'kysely'
import { notified } from '../predicates/notice.js'
import { findTable, type WrittenName, writtenName } from '../schema/identify.js'
import { jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, Queryable } from '../schema/job-table.js'
import { schedulesChannel } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { unlessUndone } from '../schema/undone.js'
import { declaredOf, deleteSchedules, jobTableOf, writeSchedules } from './declare.js'
import { dueSlots } from './due-slots.js'
import { insertKept } from './fire.js'
import { ScheduleError, slotsOf } from './recurrence.js'
import { type KeptScheduleOptions, scheduleOf } from './schedule.js'
import {
  inTransaction,
  isOfTable,
  isSchedule,
  type KeptSchedule,
  nameOf,
  readSchedules,
  type ScheduleKey,
  type Schedules,
  schedulesOf,
  timeOrNull,
} from './schedules-table.js'

/**
 * Adds a schedule at run time, or replaces one that was. Its values are kept in the database, so that every runner with a worker
 * for its table can fire it: within a second where that listens, else within half a minute.
 *
 * @throws ScheduleError for an invalid one, or the name of one that code declares; DurationError, NewJobError, SideTableError
 * @example await addSchedule(db, 'report_jobs', { name: `weekly ${tenant}`, cron: '0 8 * * MON', timeZone, values: { tenant_id } })
 */
export async function addSchedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: KeptScheduleOptions<DB, Table>,
): Promise<void> {
  const schedule = scheduleOf(jobsOf(db, table), options)
  const [given] = await declaredOf([schedule])
  if (given?.values === undefined) {
    throw new ScheduleError(
      'INVALID_SCHEDULE',
      'values: those of an added schedule are kept in the database; give plain values, or declare the schedule with the runner',
    )
  }
  const schedules = await schedulesOf(db)
  const [refused] = await writeSchedules(schedules, [given], 'hand')
  if (refused !== undefined) {
    throw new ScheduleError('INVALID_SCHEDULE', declaredText(table, refused))
  }
  await tellRunners(schedules)
}

/** Why a schedule that code has declared is not written by hand. */
function declaredText(table: string, { name, undeclaredAt }: KeptSchedule): string {
  const which = `The schedule ${shown(name)} of ${table}`
  if (undeclaredAt === undefined) return `${which} is declared in code: change it there, or choose another name`
  return `${which} was declared in code, which none that runs has done since ${undeclaredAt.toISOString()}; it is removed an hour after that: call removeSchedule(db, '${table}', ${shown(name)}) first, or choose another name`
}

/**
 * Removes a schedule; the jobs that it made stay. One that code declares comes back when a runner starts.
 * @returns whether it was there
 * @throws SideTableError
 * @example await removeSchedule(db, 'report_jobs', 'nightly')
 */
export async function removeSchedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  name: string,
): Promise<boolean> {
  const schedules = await schedulesOf(db)
  const written = writtenName(db, table)
  const of = await findTable(db, written)
  return deleteSchedules(schedules, of === undefined ? isOfGoneTable(written, name) : isSchedule({ of, name }))
}

/** Of a table that was dropped, or has another name now. */
const isOfGoneTable = ({ schema, name: table }: WrittenName, name: string) =>
  sql<boolean>`job_table = ${table} and name = ${name} and job_schema = coalesce(${schema ?? null}::text, job_schema)`

/**
 * Pauses a schedule until it is resumed, also where code declares it: no slot is fired. Jobs that it made go on.
 * @throws ScheduleError where there is none of the name; SideTableError
 * @example await pauseSchedule(db, 'report_jobs', 'nightly')
 */
export async function pauseSchedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  name: string,
): Promise<void> {
  const { schedules, kept } = await found(db, table, name)
  await change(schedules, kept, sql`paused_at = (select coalesce(paused_at, now()))`, sql`true`)
}

/**
 * Resumes a paused schedule, with the next slot to come: those of the pause were not missed.
 * @throws ScheduleError where there is none of the name; SideTableError
 * @example await resumeSchedule(db, 'report_jobs', 'nightly')
 */
export async function resumeSchedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  name: string,
): Promise<void> {
  const { schedules, kept } = await found(db, table, name)
  if (kept.pausedAt === undefined) return
  const { next } = kept.nextSlot ? dueSlots(slotsOf(kept), kept.nextSlot, kept.now, 'skip') : { next: undefined }
  // Once: whoever else resumes it meanwhile has done the same, and it may have been fired since.
  await change(schedules, kept, sql`paused_at = null, next_slot = ${timeOrNull(next)}`, sql`paused_at is not null`)
  await tellRunners(schedules)
}

/**
 * Makes a job of a schedule now, beside its slots, paused or not.
 * @returns the job; undefined where code gives its values: then a runner that has the code inserts it, within a second where it
 *   listens, else within half a minute.
 * @throws ScheduleError where there is none of the name; SideTableError
 * @example const job = await triggerSchedule(db, 'report_jobs', 'nightly')
 */
export async function triggerSchedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  name: string,
): Promise<Job<DB, Table> | undefined> {
  const jobs = jobsOf(db, table)
  const { schedules, kept } = await found(db, table, name)
  if (kept.values === null) {
    await change(
      schedules,
      kept,
      sql`triggered_at = (select coalesce(triggered_at, now())), triggers = triggers + 1`,
      sql`true`,
    )
    await tellRunners(schedules)
    return undefined
  }
  return inTransaction({ ...schedules, db: jobs.db }, async ({ db: trx, table: of }) => {
    const id = await insertKept(trx, kept, kept.now)
    await change({ db: trx.withoutPlugins(), table: of }, kept, sql`last_job = ${String(id)}`, sql`true`)
    const own = jobsOf(trx, jobs.name)
    const [job] = await own.db.selectFrom(own.table).selectAll().where('id', '=', id).execute()
    return job as Job<DB, Table> // a row of the user's table
  })
}

/** A schedule as it stands. */
export interface ScheduleState {
  /** The job table as the catalog has it, with its schema where that is not public. */
  readonly table: string
  readonly name: string
  readonly cron: string | undefined
  readonly timeZone: string | undefined
  /** Milliseconds. */
  readonly every: number | undefined
  readonly missed: KeptSchedule['missed']
  readonly skipIfUnfinished: boolean
  /** Undefined: code gives them. */
  readonly values: Readonly<Record<string, unknown>> | undefined
  /** Whether code declares it; and since when no running code that declares it was seen, which is removed after an hour. */
  readonly declared: boolean
  readonly undeclaredAt: Date | undefined
  /** Undefined: none comes any more. While it is paused, the slot at which it was. */
  readonly nextSlot: Date | undefined
  /** The last slot that was fired, and the id of the last job. */
  readonly lastSlot: Date | undefined
  readonly lastJob: string | undefined
  /** Since when it is paused. */
  readonly pausedAt: Date | undefined
}

/**
 * The schedules of a job table, or of all, by table and name.
 * @throws SideTableError
 * @example const paused = (await listSchedules(db, 'report_jobs')).filter(({ pausedAt }) => pausedAt !== undefined)
 */
export async function listSchedules<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table?: JobTable<DB, Table>,
): Promise<ScheduleState[]> {
  const schedules = await schedulesOf(db, 'read')
  const isWanted = table === undefined ? sql<boolean>`true` : isOfTable([await jobTableOf(jobsOf(db, table))])
  const kept = await readSchedules(schedules, isWanted, sql`order by job_schema, job_table, name`)
  return kept.map(({ of, cron, timeZone, every, values, lastJob, triggeredAt, triggers, now, ...state }) => ({
    ...state,
    table: of.schema === 'public' ? of.name : `${of.schema}.${of.name}`,
    ...{ cron: cron ?? undefined, timeZone: timeZone ?? undefined, every: every ?? undefined },
    ...{ values: values ?? undefined, lastJob: lastJob ?? undefined },
  }))
}

/** @throws ScheduleError with the names that there are */
async function found<DB>(db: Queryable<DB>, table: string, name: string) {
  const schedules = await schedulesOf(db)
  const of = await jobTableOf(jobsOf(db, table))
  const [kept] = await readSchedules(schedules, isSchedule({ of, name }), sql``)
  if (kept !== undefined) return { schedules, kept }
  const others = await readSchedules(schedules, isOfTable([of]), sql`order by name limit 20`)
  const names = others.length === 0 ? 'it has none' : `it has ${others.map((each) => shown(each.name)).join(', ')}`
  throw new ScheduleError('NO_SUCH_SCHEDULE', `There is no schedule ${shown(name)} of ${table}: ${names}`)
}

async function change(
  schedules: Schedules,
  key: ScheduleKey,
  changes: RawBuilder<unknown>,
  where: RawBuilder<unknown>,
): Promise<void> {
  const [table, isMeant] = [nameOf(schedules), sql`${isSchedule(key)} and ${where}`]
  const query = sql`update ${table} set ${changes}, updated_at = now() where ${isMeant}`
  await unlessUndone(schedules.db, () => query.execute(schedules.db))
}

/** Wakes runners that listen, once it is committed: a schedule may be due earlier than they know. */
export async function tellRunners({ db, table }: Schedules): Promise<void> {
  await db.selectNoFrom(notified({ channel: schedulesChannel(table), payload: '' }).as('told')).execute()
}
