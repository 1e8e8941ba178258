import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import { hasIdIn } from '../predicates/rows.js'
import { isFinal } from '../predicates/status.js'
import { enqueue } from '../queue/enqueue.js'
import type { JobId } from '../schema/columns.js'
import { type JobAlias, type JobDatabase, type Jobs, realJobsOf } from '../schema/job-database.js'
import type { NewJob } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { idOf } from '../schema/row.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import type { Served } from './declare.js'
import { type DueSlots, dueSlots, none } from './due-slots.js'
import { slotsOf } from './recurrence.js'
import { type Schedule, valuesAt, withPluginsOf } from './schedule.js'
import {
  inTransaction,
  type KeptSchedule,
  nameOf,
  readSchedules,
  type ScheduleKey,
  type Schedules,
} from './schedules-table.js'

/** What was done about a schedule that was due. */
export interface Fired extends ScheduleKey {
  /** The slots that have a job, and the ids of those jobs, in the same order. */
  readonly slots: readonly Date[]
  readonly jobs: readonly JobId[]
  /** The first slot that got none, where some got none; how many, counted up to 1,000; and whether that was as the last job is unfinished. */
  readonly passedOver: Date | undefined
  readonly passedOverCount: number
  readonly unfinished: boolean
}

/** Schedules whose jobs could not be inserted; they are as they were. */
export class FiringError extends Error {
  override readonly name = 'FiringError'
  readonly code = 'FIRING'
  readonly keys: readonly ScheduleKey[]

  constructor(keys: readonly ScheduleKey[], cause: unknown) {
    super('Schedules were not fired', { cause })
    this.keys = keys
  }
}

/**
 * Fires schedules of a table that are due: in one transaction their rows move on and their jobs are inserted. Who else looks at the
 * same time passes the rows over; who looks later finds them moved on. So each slot is fired once, whoever is killed meanwhile.
 *
 * @param except schedules that are left alone
 * @param most how many are fired at once
 * @returns what was fired; of none where none is due
 * @throws FiringError; whatever else the database says
 */
export async function fireDue(
  schedules: Schedules,
  of: TableName,
  served: Served,
  { except, most }: { readonly except: readonly ScheduleKey[]; readonly most: number },
): Promise<Fired[]> {
  const keys: ScheduleKey[] = []
  try {
    return await inTransaction(schedules, async (trx) => {
      const isDue = sql<boolean>`${isServed(of, served, except)} and fires_at <= now()`
      const kept = await readSchedules(trx, isDue, sql`order by fires_at limit ${most} for update of s skip locked`)
      keys.splice(0, keys.length, ...kept.map(({ of, name }) => ({ of, name })))
      return kept.length === 0 ? [] : await fire(trx, of, kept, served)
    })
  } catch (error) {
    throw keys.length === 0 ? error : new FiringError(keys, error)
  }
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

/** By its index: the schedules of one table, by when they fire. Those that code has declared are fired while some declares them. */
function isServed(of: TableName, { declared }: Served, except: readonly ScheduleKey[]): RawBuilder<SqlBool> {
  const namesOf = (keys: readonly ScheduleKey[]) => keys.filter((key) => isSame(key.of, of)).map(({ name }) => name)
  return sql`job_schema = ${of.schema} and job_table = ${of.name} and name <> all(${namesOf(except)}::text[])
    and (job_values is not null and undeclared_at is null or name = any(${namesOf(declared)}::text[]))`
}

const isSame = (one: TableName, other: TableName): boolean => one.schema === other.schema && one.name === other.name

/** What is to become of a schedule. */
interface Plan extends Pick<DueSlots, 'next' | 'passedOver' | 'passedOverCount'> {
  readonly kept: KeptSchedule
  /** The code that gives its values; undefined: they are kept. */
  readonly code: Schedule | undefined
  readonly slots: readonly Date[]
  readonly unfinished: boolean
}

async function fire(trx: Schedules, of: TableName, kept: readonly KeptSchedule[], served: Served): Promise<Fired[]> {
  const unfinished = await unfinishedOf(trx.db, of, kept)
  const plans = kept.map((each) => planOf(each, unfinished.has(each.lastJob ?? ''), served))
  const jobs = new Map<Plan, JobId[]>()
  for (const [, group] of Map.groupBy(plans, ({ code }) => code?.jobs.db)) await insertJobs(trx.db, of, group, jobs)
  const fired = plans.map((plan) => ({ ...plan, jobs: jobs.get(plan) ?? [] }))
  await moveOn(trx, fired)
  return fired.map(({ kept: { of, name }, slots, jobs, passedOver, passedOverCount, unfinished }) => {
    return { of, name, slots, jobs, passedOver, passedOverCount, unfinished }
  })
}

function planOf(kept: KeptSchedule, isUnfinished: boolean, { declared }: Served): Plan {
  const { triggeredAt, triggers, skipIfUnfinished } = kept
  const { slots, next, passedOver, passedOverCount } = dueOf(kept)
  const byHand = triggeredAt === undefined ? [] : Array.from({ length: Math.max(1, triggers) }, () => triggeredAt)
  const unfinished = slots.length > 0 && skipIfUnfinished && (isUnfinished || byHand.length > 0)
  // That one job is all that may be unfinished.
  const due = unfinished ? [] : skipIfUnfinished ? slots.slice(-1) : slots
  const left = passedOver ?? (due.length < slots.length ? slots[0] : undefined)
  const count = passedOverCount + slots.length - due.length
  const isThis = ({ of, name }: ScheduleKey) => isSame(of, kept.of) && name === kept.name
  const code = kept.values === null ? declared.find(isThis)?.schedule : undefined
  if (kept.values === null && code === undefined) throw new TypeError('no code of this process gives its values')
  return { kept, code, slots: [...byHand, ...due], next, passedOver: left, passedOverCount: count, unfinished }
}

/** A paused one is due only by hand. */
function dueOf(kept: KeptSchedule): DueSlots {
  const { nextSlot, pausedAt, now, missed } = kept
  if (nextSlot === undefined || pausedAt !== undefined) return { slots: [], next: nextSlot, ...none }
  return dueSlots(slotsOf(kept), nextSlot, now, missed)
}

/** The ids of last jobs that have not ended, of schedules that ask. */
async function unfinishedOf(
  trx: Kysely<JobDatabase>,
  of: TableName,
  kept: readonly KeptSchedule[],
): Promise<Set<string | null>> {
  const ids = kept.flatMap(({ skipIfUnfinished, lastJob }) => (skipIfUnfinished && lastJob !== null ? [lastJob] : []))
  if (ids.length === 0) return new Set()
  const { db, table } = realJobsOf(trx, of)
  const query = db.selectFrom(table).select((eb) => asText(eb.ref('id')))
  const isUnfinished = query.where(hasIdIn(ids)).where(({ not }) => not(isFinal()))
  return new Set(await textsOf(db, isUnfinished.compile()))
}

/** Of schedules whose values are kept, or come from one handle of the user's. */
async function insertJobs(
  trx: Kysely<JobDatabase>,
  of: TableName,
  plans: readonly Plan[],
  jobs: Map<Plan, JobId[]>,
): Promise<void> {
  const code = plans[0]?.code
  const { db, name }: Pick<Jobs, 'db' | 'name'> =
    code === undefined ? realJobsOf(trx, of) : { db: withPluginsOf(code.jobs, trx), name: code.jobs.name }
  const hasColumn = await hasSlotColumn(trx, of)
  const rows = plans.flatMap(({ kept, code, slots }) => {
    const valuesOf = (slot: Date) => (code === undefined ? (kept.values ?? {}) : valuesAt(code, slot))
    return slots.map((slot) => withSlot(valuesOf(slot), slot, hasColumn))
  })
  const inserted = rows.length === 0 ? [] : await enqueue(db, name, rows as NewRows) // the door's types have checked them
  let start = 0
  for (const plan of plans) {
    jobs.set(plan, inserted.slice(start, start + plan.slots.length).map(idOf))
    start += plan.slots.length
  }
}

type NewRows = readonly NewJob<JobDatabase, JobAlias>[]

/** A job of a schedule whose values are kept. */
export async function insertKept(trx: Kysely<JobDatabase>, kept: KeptSchedule, slot: Date): Promise<JobId> {
  const { db, name } = realJobsOf(trx, kept.of)
  const row = withSlot(kept.values ?? {}, slot, await hasSlotColumn(trx, kept.of))
  return idOf(await enqueue(db, name, row as NewRows[number])) // it was checked when it was declared
}

/** Whether a job table has a column for the slot: `scheduled_for`, a timestamptz. By a statement of its own: Citus joins no table of a node with its catalog. */
async function hasSlotColumn(trx: Kysely<JobDatabase>, of: TableName): Promise<boolean> {
  const query = sql`
    select ${asText(sql`true`)} from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(${quotedName(of)}) and a.attname = 'scheduled_for' and not a.attisdropped
      and a.atttypid = 'timestamptz'::pg_catalog.regtype`
  return (await textsOf(trx, query.compile(trx.withoutPlugins()))).length > 0
}

/** The slot's time is in its job, where there is a column for it and the values don't say otherwise. */
function withSlot(values: object, slot: Date, hasSlotColumn: boolean): object {
  const isGiven = ['scheduled_for', 'scheduledFor'].some((name) => Reflect.get(values, name) !== undefined)
  return hasSlotColumn && !isGiven ? { ...values, scheduled_for: slot } : values
}

async function moveOn(schedules: Schedules, fired: readonly (Plan & { readonly jobs: readonly JobId[] })[]) {
  const columns = fired.map(({ kept, slots, next, jobs }) => ({
    ...{ schema: kept.of.schema, table: kept.of.name, name: kept.name, next: next?.toISOString() },
    last: (slots.filter((slot) => slot !== kept.triggeredAt).at(-1) ?? kept.lastSlot)?.toISOString(),
    job: jobs.at(-1)?.toString() ?? kept.lastJob,
  }))
  const all = (column: keyof (typeof columns)[number], type: string) =>
    sql`${columns.map((each) => each[column] ?? null)}::${sql.raw(type)}[]`
  const texts = sql.join([all('schema', 'text'), all('table', 'text'), all('name', 'text'), all('job', 'text')])
  await sql`
    update ${nameOf(schedules)} s set next_slot = moved.next, last_slot = moved.last, last_job = moved.job,
      triggered_at = null, triggers = 0, updated_at = now()
    from unnest(${texts}, ${all('next', 'timestamptz')}, ${all('last', 'timestamptz')}) as moved(schema, "table", name, job, next, last)
    where (s.job_schema, s.job_table, s.name) = (moved.schema, moved.table, moved.name)`.execute(schedules.db)
}
