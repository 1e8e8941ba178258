import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import { isFinal } from '../predicates/status.js'
import { enqueue } from '../queue/enqueue.js'
import type { JobId } from '../schema/columns.js'
import { type JobAlias, type JobDatabase, realJobsOf } from '../schema/job-database.js'
import type { NewJob } from '../schema/job-table.js'
import type { TableName } from '../schema/names.js'
import { idOf } from '../schema/row.js'
import { asJsonText, textsOf } from '../schema/text.js'
import type { Served } from './declare.js'
import { type DueSlots, dueSlots } from './due-slots.js'
import { slotsOf } from './recurrence.js'
import { valuesAt, withPluginsOf } from './schedule.js'
import {
  isSchedule,
  type KeptSchedule,
  nameOf,
  readSchedules,
  type ScheduleKey,
  type Schedules,
  timeOrNull,
} from './schedules-table.js'

/** What was done about a schedule that was due. */
export interface Fired extends ScheduleKey {
  /** The slots that have a job, and the ids of those jobs, in the same order. */
  readonly slots: readonly Date[]
  readonly jobs: readonly JobId[]
  /** The first slot that got none, where some got none; and whether that was as the last job is unfinished. */
  readonly passedOver: Date | undefined
  readonly unfinished: boolean
}

/** A schedule whose jobs could not be inserted; it is as it was. */
export class FiringError extends Error {
  override readonly name = 'FiringError'
  readonly code = 'FIRING'
  readonly key: ScheduleKey

  constructor(key: ScheduleKey, cause: unknown) {
    super(`The schedule ${key.name} of ${key.of.name} was not fired`, { cause })
    this.key = key
  }
}

/**
 * Fires one schedule of a table that is due: in one transaction its row moves on and its jobs are inserted. Who else looks at the
 * same time passes its row over; who looks later finds it moved on. So each slot is fired once, whoever is killed meanwhile.
 *
 * @param except schedules that are left alone
 * @returns undefined where none is due
 * @throws FiringError; whatever else the database says
 */
export function fireOne(
  { db, table }: Schedules,
  of: TableName,
  served: Served,
  except: readonly ScheduleKey[],
): Promise<Fired | undefined> {
  // Of a row that somebody else has moved on, a snapshot of a whole transaction would make an error.
  const transaction = db.transaction().setIsolationLevel('read committed')
  return transaction.execute(async (trx) => {
    const schedules = { db: trx, table }
    const isDue = sql<boolean>`${isServed(of, served, except)} and fires_at <= now()`
    const [kept] = await readSchedules(schedules, isDue, sql`order by fires_at limit 1 for update of s skip locked`)
    if (kept === undefined) return undefined
    try {
      return await fire(schedules, kept, served)
    } catch (error) {
      throw new FiringError({ of: kept.of, name: kept.name }, error)
    }
  })
}

/** Milliseconds until the next schedule of each table is due, in their order; null: none of it will be. */
export async function nextFirings(
  schedules: Schedules,
  served: Served,
  except: readonly ScheduleKey[],
): Promise<(number | null)[]> {
  if (served.tables.length === 0) return []
  const wait = sql`((extract(epoch from fires_at) - extract(epoch from clock_timestamp())) * 1000)::numeric`
  const nextOf = (of: TableName) =>
    sql`(select ${wait} from ${nameOf(schedules)} where ${isServed(of, served, except)} order by fires_at limit 1)`
  const query = schedules.db.selectNoFrom(asJsonText(served.tables.map(nextOf))).compile()
  const [text] = await textsOf(schedules.db, query)
  return JSON.parse(text ?? '[]') as (number | null)[] // just made
}

/** By its index: the schedules of one table, by when they fire. */
function isServed(of: TableName, { declared }: Served, except: readonly ScheduleKey[]): RawBuilder<SqlBool> {
  const namesOf = (keys: readonly ScheduleKey[]) => keys.filter((key) => isSame(key.of, of)).map(({ name }) => name)
  return sql`job_schema = ${of.schema} and job_table = ${of.name}
    and (job_values is not null or name = any(${namesOf(declared)}::text[])) and name <> all(${namesOf(except)}::text[])`
}

const isSame = (one: TableName, other: TableName): boolean => one.schema === other.schema && one.name === other.name

async function fire(schedules: Schedules, kept: KeptSchedule, served: Served): Promise<Fired> {
  const { of, name, triggeredAt, lastJob } = kept
  const { slots, next, passedOver } = dueOf(kept)
  const unfinished = slots.length > 0 && kept.skipIfUnfinished && (await isUnfinished(schedules.db, of, lastJob))
  // That one job is all that may be unfinished.
  const due = unfinished ? [] : kept.skipIfUnfinished ? slots.slice(-1) : slots
  const fired = triggeredAt === undefined ? due : [triggeredAt, ...due]
  const jobs = fired.length === 0 ? [] : await insertJobs(schedules.db, kept, fired, served)
  await sql`
    update ${nameOf(schedules)} set next_slot = ${timeOrNull(next)}, last_slot = ${timeOrNull(due.at(-1) ?? kept.lastSlot)},
      last_job = ${jobs.at(-1)?.toString() ?? lastJob}, triggered_at = null, updated_at = now()
    where ${isSchedule(kept)}`.execute(schedules.db)
  const left = passedOver ?? (due.length < slots.length ? slots[0] : undefined)
  return { of, name, slots: fired, jobs, passedOver: left, unfinished }
}

/** A paused one is due only by hand. */
function dueOf(kept: KeptSchedule): DueSlots {
  const { nextSlot, pausedAt, now, missed } = kept
  if (nextSlot === undefined || pausedAt !== undefined) return { slots: [], next: nextSlot, passedOver: undefined }
  return dueSlots(slotsOf(kept), nextSlot, now, missed)
}

async function isUnfinished(trx: Kysely<JobDatabase>, of: TableName, id: string | null): Promise<boolean> {
  if (id === null) return false
  const { db, table } = realJobsOf(trx, of)
  const isThere = db
    .selectFrom(table)
    .select('status')
    .where('id', '=', id)
    .where(({ not }) => not(isFinal()))
  return (await isThere.execute()).length > 0
}

/** The jobs of slots: by the code that declares them where the values are not kept. */
async function insertJobs(
  trx: Kysely<JobDatabase>,
  kept: KeptSchedule,
  slots: readonly Date[],
  { declared }: Served,
): Promise<JobId[]> {
  if (kept.values !== null) return insertSlots(trx, kept, slots)
  const code = declared.find(
    ({ of, name }) => of.schema === kept.of.schema && of.name === kept.of.name && name === kept.name,
  )
  if (code === undefined) return []
  const { schedule } = code
  const rows = slots.map((slot) => withSlot(valuesAt(schedule, slot), slot, kept.hasSlotColumn))
  return idsOf(await enqueue(withPluginsOf(schedule.jobs, trx), schedule.jobs.name, rows as NewRows)) // the door's types have checked them
}

/** The jobs of slots, of values that are kept. */
export async function insertSlots(
  trx: Kysely<JobDatabase>,
  { of, values, hasSlotColumn }: KeptSchedule,
  slots: readonly Date[],
): Promise<JobId[]> {
  const { db, name } = realJobsOf(trx, of)
  const rows = slots.map((slot) => withSlot(values ?? {}, slot, hasSlotColumn))
  return idsOf(await enqueue(db, name, rows as NewRows)) // they were checked when they were declared
}

type NewRows = readonly NewJob<JobDatabase, JobAlias>[]

const idsOf = (rows: readonly object[]): JobId[] => rows.map(idOf)

/** The slot's time is in its job, where there is a column for it and the values don't say otherwise. */
function withSlot(values: object, slot: Date, hasSlotColumn: boolean): object {
  const isGiven = ['scheduled_for', 'scheduledFor'].some((name) => Reflect.get(values, name) !== undefined)
  return hasSlotColumn && !isGiven ? { ...values, scheduled_for: slot } : values
}
