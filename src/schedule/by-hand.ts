import { type Kysely, type RawBuilder, sql } from 'kysely'
import { notified } from '../predicates/notice.js'
import type { JobId } from '../schema/columns.js'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, Queryable } from '../schema/job-table.js'
import { schedulesChannel } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { type Declared, declared, deleteSchedule, jobTableOf, writeSchedule } from './declare.js'
import { dueSlots } from './due-slots.js'
import { insertSlots } from './fire.js'
import { ScheduleError, slotsOf } from './recurrence.js'
import { type KeptScheduleOptions, scheduleOf } from './schedule.js'
import {
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
  const given: Declared = await declared(schedule)
  if (given.values === undefined) {
    throw new ScheduleError(
      'INVALID_SCHEDULE',
      'values: those of an added schedule are kept in the database; give plain values, or declare the schedule with the runner',
    )
  }
  const schedules = await schedulesOf(db)
  if (!(await writeSchedule(schedules, given, 'hand'))) {
    throw new ScheduleError(
      'INVALID_SCHEDULE',
      `The schedule ${shown(schedule.name)} of ${table} is declared in code: change it there, or choose another name`,
    )
  }
  await tellRunners(schedules)
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
  return deleteSchedule(schedules, { of: await jobTableOf(jobsOf(db, table)), name })
}

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
  await change(schedules, kept, sql`paused_at = coalesce(paused_at, now())`)
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
  if (kept.pausedAt === undefined || kept.nextSlot === undefined) return
  const { next } = dueSlots(slotsOf(kept), kept.nextSlot, kept.now, 'skip')
  await change(schedules, kept, sql`paused_at = null, next_slot = ${timeOrNull(next)}`)
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
    await change(schedules, kept, sql`triggered_at = now()`)
    await tellRunners(schedules)
    return undefined
  }
  return inTransaction(jobs.db, async (trx) => {
    const [id] = (await insertSlots(trx, kept, [kept.now])) as [JobId] // one slot, one job
    await change({ ...schedules, db: trx.withoutPlugins() }, kept, sql`last_job = ${String(id)}`)
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
  /** Whether code declares it. */
  readonly declared: boolean
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
 * @example for (const { name, nextSlot } of await listSchedules(db, 'report_jobs')) console.log(name, nextSlot)
 */
export async function listSchedules<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table?: JobTable<DB, Table>,
): Promise<ScheduleState[]> {
  const schedules = await schedulesOf(db)
  const isWanted = table === undefined ? sql<boolean>`true` : isOfTable([await jobTableOf(jobsOf(db, table))])
  const kept = await readSchedules(schedules, isWanted, sql`order by job_schema, job_table, name`)
  return kept.map(({ of, cron, timeZone, every, values, lastJob, hasSlotColumn, triggeredAt, now, ...state }) => ({
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

async function change(schedules: Schedules, key: ScheduleKey, changes: RawBuilder<unknown>): Promise<void> {
  const table = nameOf(schedules)
  await sql`update ${table} set ${changes}, updated_at = now() where ${isSchedule(key)}`.execute(schedules.db)
}

function inTransaction<Result>(
  db: Kysely<JobDatabase>,
  work: (trx: Kysely<JobDatabase>) => Promise<Result>,
): Promise<Result> {
  return db.isTransaction ? work(db) : db.transaction().execute(work)
}

/** Wakes runners that listen, once it is committed: a schedule may be due earlier than they know. */
export async function tellRunners({ db, table }: Schedules): Promise<void> {
  await db.selectNoFrom(notified({ channel: schedulesChannel(table), payload: '' }).as('told')).execute()
}
