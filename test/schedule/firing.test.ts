import { type Kysely, sql } from 'kysely'
import {
  addSchedule,
  createRunner,
  createWorker,
  enqueue,
  listSchedules,
  type Schedule,
  schedule,
  triggerSchedule,
} from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createReportTables, quiet, type ReportDatabase, reports, running, setNextSlot } from './reports.js'

const { db, pool } = await testDatabase<ReportDatabase>(createReportTables)

beforeEach(async () => {
  await sql`truncate job_schedules, report_jobs, mail_jobs`.execute(db)
})

const daily = (more: object = {}): Schedule =>
  schedule(db, 'report_jobs', { name: 'daily', cron: '@yearly', values: { kind: 'daily' }, ...more })

/** A runner comes when slots of a schedule have waited since so long ago. */
async function comingAfter(ago: string, given: Schedule) {
  const before = await running(db, { schedules: [given] })
  await before.runner.stop()
  await setNextSlot(db, given.name, ago)
  return running(db, { schedules: [given] })
}

const minutes = (jobs: readonly { readonly scheduled_for: Date | null }[]) =>
  jobs.map(({ scheduled_for }) => (scheduled_for?.getTime() ?? Number.NaN) / 60_000)

test('a declared schedule makes a job for each slot, with the values and the slot in it', async () => {
  const every = schedule(db, 'report_jobs', { name: 'each second', cron: '* * * * * *', values: { kind: 'daily' } })
  const { told } = await running(db, { schedules: [every] })
  await expect.poll(() => told.length).toBeGreaterThan(2)
  const jobs = await reports(db)
  const slots = jobs.map(({ scheduled_for }) => scheduled_for?.getTime() ?? 0)
  expect(slots).toEqual(slots.map((_, n) => (slots[0] ?? 0) + n * 1000))
  expect(new Set(jobs.map(({ kind }) => kind))).toEqual(new Set(['daily']))
  expect(told[0]).toEqual({
    ...{ table: 'report_jobs', schedule: 'each second', slots: [jobs[0]?.scheduled_for], jobs: [jobs[0]?.id] },
    passedOver: undefined,
    passedOverCount: 0,
  })
})

test('values may be a function of the slot, which is left alone where it sets it itself', async () => {
  const values = (slot: Date) => ({ kind: `of ${slot.getTime()}`, scheduled_for: new Date(slot.setHours(0)) })
  const { told } = await comingAfter('0 s', daily({ values }))
  await expect.poll(() => told.length).toBe(1)
  const [job] = await reports(db)
  const slot = told[0]?.slots[0] as Date
  expect(job).toMatchObject({ kind: `of ${slot.getTime()}`, scheduled_for: new Date(new Date(slot).setHours(0)) })
})

test('a table without a column for the slot is served too', async () => {
  const greeting = schedule(db, 'mail_jobs', { name: 'greeting', every: '1s', values: { to: 'ada' } })
  const { told } = await running(db, { schedules: [greeting] })
  await expect.poll(() => told.length).toBeGreaterThan(0)
  expect(await db.selectFrom('mail_jobs').select('to').limit(1).execute()).toEqual([{ to: 'ada' }])
})

test('an interval counts from its last slot, whenever that was fired', async () => {
  const given = schedule(db, 'report_jobs', { name: 'often', every: '20m', values: { kind: 'often' }, missed: 'all' })
  const { told } = await comingAfter('50 min', given)
  await expect.poll(() => told.length).toBe(1)
  const [first = 0, ...others] = minutes(await reports(db))
  expect(others).toEqual([first + 20, first + 40])
  const [state] = await listSchedules(db, 'report_jobs')
  expect((state?.nextSlot?.getTime() ?? 0) / 60_000).toBe(first + 60)
})

test.each([
  ['skip', 0],
  ['once', 1],
  ['all', 4],
] as const)('of slots that nobody was there for: %s', async (missed, count) => {
  const hourly = schedule(db, 'report_jobs', { name: 'hourly', every: '1h', values: { kind: 'hourly' }, missed })
  const { told } = await comingAfter('3 hours 30 min', hourly)
  await expect.poll(() => told.length).toBe(1)
  expect([told[0]?.slots.length, told[0]?.passedOver === undefined]).toEqual([count, missed === 'all'])
  expect(await reports(db)).toHaveLength(count)
  const [state] = await listSchedules(db)
  expect(state?.nextSlot?.getTime()).toBeGreaterThan(Date.now())
})

test('skipIfUnfinished passes slots over while the last job is unfinished', async () => {
  const given = daily({ skipIfUnfinished: true })
  const sleeping = createWorker(db, 'report_jobs', () => new Promise<void>(() => {}), {
    logger: quiet,
    pollInterval: '1m',
  })
  const first = await running(db, { schedules: [given], workers: [sleeping] })
  const once = async (status: string) => {
    await setNextSlot(db, 'daily', '0 s')
    await sql`update report_jobs set status = ${status}::job_status`.execute(db)
    const { runner, told } = await running(db, { schedules: [given], workers: [] })
    await expect.poll(() => told.length).toBe(1)
    await runner.stop()
    return [told[0]?.jobs.length, told[0]?.passedOver === undefined, told[0]?.passedOverCount]
  }
  await first.runner.stop({ deadline: 0 })
  expect(await once('job_status_succeeded')).toEqual([1, true, 0])
  expect(await once('job_status_running')).toEqual([0, false, 1])
  expect(await once('job_status_retry')).toEqual([0, false, 1])
  expect(await once('job_status_failed')).toEqual([1, true, 0])
  await sql`delete from report_jobs`.execute(db)
  expect(await once('job_status_failed')).toEqual([1, true, 0])
})

test('a schedule whose job is refused is told of, keeps its slot, and holds up no other', async () => {
  const broken = daily({ name: 'broken', values: () => ({ kind: null }) })
  const throwing = daily({ name: 'throwing', values: () => assertNever() })
  const promised = daily({ name: 'promised', values: async () => ({ kind: 'late' }) })
  const all = [broken, throwing, promised, daily()]
  const before = await running(db, { schedules: all })
  await before.runner.stop()
  for (const { name } of all) await setNextSlot(db, name, '0 s')
  const { told, errors } = await running(db, { schedules: all })
  await expect.poll(() => [told.length, errors.length]).toEqual([1, 3])
  expect(told.map((event) => event.schedule)).toEqual(['daily'])
  expect(errors.map(String).toSorted()).toEqual([
    'ScheduleError: values: the function of the schedule "promised" gave a promise; let it return the columns of the job',
    'TypeError: on purpose',
    'error: null value in column "kind" of relation "report_jobs" violates not-null constraint',
  ])
  const states = await listSchedules(db)
  expect(states.filter(({ lastSlot }) => lastSlot !== undefined).map(({ name }) => name)).toEqual(['daily'])
})

function assertNever(): never {
  throw new TypeError('on purpose')
}

test('schedules that are kept are fired by a runner that declares nothing, if it has a worker for their table', async () => {
  await addSchedule(db, 'report_jobs', { name: 'kept', cron: '* * * * *', values: { kind: 'kept' } })
  await addSchedule(db, 'mail_jobs', { name: 'of others', cron: '* * * * *', values: { to: 'ada' } })
  for (const name of ['kept', 'of others']) await setNextSlot(db, name, '0 s')
  const { told } = await running(db)
  await expect.poll(() => told.length).toBe(1)
  expect(told[0]).toMatchObject({ schedule: 'kept', table: 'report_jobs' })
  expect(await db.selectFrom('mail_jobs').select('id').execute()).toEqual([])
})

test('a runner that listens hears of a schedule that is added', async () => {
  const worker = createWorker(db, 'report_jobs', () => {}, { logger: quiet, listen: pool })
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
  const told: string[] = []
  runner.on('scheduled', (event) => told.push(event.schedule))
  await runner.start()
  await expect.poll(() => worker.health().listener).toBe('listening')
  await addSchedule(db, 'report_jobs', { name: 'new', every: '1s', values: { kind: 'new' } })
  await expect.poll(() => told.length, { timeout: 15_000 }).toBeGreaterThan(0)
})

test('a schedule whose statement Postgres refuses holds up neither others of its table nor those of other tables', async () => {
  const typo = { kind: 'a', pgaes: 1 } as never
  const greeting = schedule(db, 'mail_jobs', { name: 'greeting', cron: '@yearly', values: { to: 'ada' } })
  const all = [daily({ name: 'a', values: () => typo }), daily({ name: 'b' }), daily({ name: 'c' }), greeting]
  const before = await running(db, { schedules: all })
  await before.runner.stop()
  for (const { name } of all) await setNextSlot(db, name, '0 s')
  const { told, errors } = await running(db, { schedules: all })
  await expect.poll(() => told.map((event) => event.schedule).toSorted()).toEqual(['b', 'c', 'greeting'])
  await expect
    .poll(() => errors.map(String))
    .toEqual(['error: column "pgaes" of relation "report_jobs" does not exist'])
})

test('many that are due at once are fired together, each once', async () => {
  const all = Array.from({ length: 500 }, (_, n) => daily({ name: `schedule ${n}`, values: { kind: `of ${n}` } }))
  const before = await running(db, { schedules: all })
  await before.runner.stop()
  await sql`update job_schedules set next_slot = date_trunc('second', now())`.execute(db)
  const runners = [await running(db, { schedules: all }), await running(db, { schedules: all })]
  await expect.poll(() => runners.flatMap(({ told }) => told).length).toBe(500)
  const jobs = await reports(db)
  expect(new Set(jobs.map(({ kind }) => kind)).size).toBe(500)
  expect(jobs).toHaveLength(500)
})

test('kept values are inserted as enqueue would: dates, arrays, json', async () => {
  await sql`create table odd_jobs (like report_jobs including all, day date, local timestamp, numbers float8[], times timestamptz[], facts jsonb)`.execute(
    db,
  )
  const odd = db as unknown as Kysely<any>
  const time = new Date(2026, 5, 1, 3)
  const values = {
    kind: 'a',
    day: time,
    local: time,
    numbers: [1, Number.NaN],
    times: [time],
    facts: { at: time, of: [1] },
  }
  await enqueue(odd, 'odd_jobs', values)
  await addSchedule(odd, 'odd_jobs', { name: 'odd', cron: '@yearly', values })
  await triggerSchedule(odd, 'odd_jobs', 'odd')
  const rows = await odd.selectFrom('odd_jobs').select(['day', 'local', 'numbers', 'times', 'facts']).execute()
  expect(rows[1]).toEqual(rows[0])
  const bad = { kind: 'a', day: new Date('x') }
  await expect(addSchedule(odd, 'odd_jobs', { name: 'bad', cron: '@yearly', values: bad })).rejects.toThrow(
    `values: odd_jobs.day can't be kept: Invalid time value`,
  )
})
