import { type Kysely, sql } from 'kysely'
import {
  addSchedule,
  createRunner,
  createWorker,
  listSchedules,
  pauseSchedule,
  RunnerOptionError,
  removeSchedule,
  ScheduleError,
  SideTableError,
  schedule,
} from 'kysely-jobs'
import { createJobSchedules, createJobTable, dropJobSchedules, SideTableTakenError } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createReportTables, quiet, type ReportDatabase, running, setNextSlot } from './reports.js'

const { db } = await testDatabase<ReportDatabase>(createReportTables)

beforeEach(async () => {
  await sql`truncate job_schedules, report_jobs, mail_jobs`.execute(db)
})

const declared = (name: string, more: object = {}) =>
  schedule(db, 'report_jobs', { name, cron: '0 3 * * *', values: { kind: name }, ...more })

/** A deploy: a runner that starts and stops. */
async function deploy(schedules: Parameters<typeof running>[1]) {
  const { runner } = await running(db, schedules)
  await runner.stop()
}

const names = async () => (await listSchedules(db)).map(({ name }) => name)

test('what is declared is listed, with its next slot in its zone', async () => {
  await deploy({
    schedules: [declared('nightly', { timeZone: 'Asia/Kolkata', missed: 'all', skipIfUnfinished: true })],
  })
  const [state] = await listSchedules(db, 'report_jobs')
  expect(state).toEqual({
    ...{ table: 'report_jobs', name: 'nightly', cron: '0 3 * * *', timeZone: 'Asia/Kolkata', every: undefined },
    ...{ missed: 'all', skipIfUnfinished: true, values: { kind: 'nightly' }, declared: true },
    ...{ nextSlot: expect.any(Date), lastSlot: undefined, lastJob: undefined, pausedAt: undefined },
  })
  expect(state?.nextSlot?.toISOString()).toMatch(/T21:30:00.000Z$/)
})

test('a later deploy changes what it declares, and keeps what it does not: the next slot, a pause', async () => {
  await deploy({ schedules: [declared('nightly'), declared('weekly')] })
  await setNextSlot(db, 'nightly', '-5 min')
  await pauseSchedule(db, 'report_jobs', 'nightly')
  const [before] = await listSchedules(db)
  await deploy({
    schedules: [declared('nightly', { values: { kind: 'other' } }), declared('weekly', { cron: '0 4 * * *' })],
  })
  const [nightly, weekly] = await listSchedules(db)
  expect(nightly).toEqual({ ...before, values: { kind: 'other' } })
  expect(weekly?.nextSlot?.getUTCHours()).toBe(4)
})

test('a changed interval counts from the last slot', async () => {
  const often = (every: '1h' | '10m') => schedule(db, 'report_jobs', { name: 'often', every, values: { kind: 'a' } })
  await deploy({ schedules: [often('1h')] })
  await sql`update job_schedules set last_slot = date_trunc('minute', now()) - interval '42 minutes'`.execute(db)
  await deploy({ schedules: [often('10m')] })
  const [state] = await listSchedules(db)
  const [last, next] = [state?.lastSlot?.getTime() ?? 0, state?.nextSlot?.getTime() ?? 0]
  expect((next - last) / 60_000).toBe(50) // on its beat, and none of those that would have been before
})

const undeclared = async () =>
  (await listSchedules(db)).filter(({ undeclaredAt }) => undeclaredAt !== undefined).map(({ name }) => name)

test('a schedule that code declared and does not any more is fired no more, and removed an hour later; one that was added by hand is not', async () => {
  await addSchedule(db, 'report_jobs', { name: 'by hand', cron: '@daily', values: { kind: 'a' } })
  await deploy({ schedules: [declared('one'), declared('two')] })
  await deploy({ schedules: [declared('two')] })
  await deploy({})
  expect([await names(), await undeclared()]).toEqual([['by hand', 'one', 'two'], ['one']])
  for (const name of ['one', 'two']) await setNextSlot(db, name, '0 s')
  const { told } = await running(db, { schedules: [declared('two')] })
  await expect.poll(() => told.map((event) => event.schedule)).toEqual(['two'])
  await sql`update job_schedules set undeclared_at = now() - interval '61 minutes' where undeclared_at is not null`.execute(
    db,
  )
  await deploy({ schedules: [declared('two')] })
  expect(await names()).toEqual(['by hand', 'two'])
  await deploy({ schedules: [] })
  expect(await undeclared()).toEqual(['two'])
})

test('while code of two versions runs, each fires what it declares, also after the older one has started again', async () => {
  const newer = await running(db, { schedules: [declared('old'), declared('new')] })
  await pauseSchedule(db, 'report_jobs', 'new')
  await deploy({ schedules: [declared('old')] })
  expect(await undeclared()).toEqual(['new'])
  await newer.runner.stop()
  await deploy({ schedules: [declared('old'), declared('new')] })
  expect(await undeclared()).toEqual([])
  expect((await listSchedules(db)).map(({ pausedAt }) => pausedAt !== undefined)).toEqual([true, false])
})

test('kept, it is told of at the start, and those of other tables are nobody else’s business', async () => {
  const warned: string[] = []
  const logger = { ...quiet, warn: (_facts: object, text: string) => warned.push(text) }
  const greeting = schedule(db, 'mail_jobs', { name: 'greeting', cron: '@daily', values: { to: 'ada' } })
  const mail = createWorker(db, 'mail_jobs', () => {}, { logger: quiet })
  await deploy({ schedules: [greeting], workers: [mail] })
  await deploy({ schedules: [declared('one')] })
  await deploy({ schedules: [declared('two')], undeclared: 'keep', logger })
  expect([await names(), await undeclared()]).toEqual([['greeting', 'one', 'two'], []])
  expect(warned).toEqual([
    'report_jobs: the schedule one is there, and this code does not declare it: removeSchedule removes it',
  ])
})

test('a slot that has come is not lost to a deploy that changes the schedule, and no slots are made up', async () => {
  const often = (every: '24h' | '1m') =>
    schedule(db, 'report_jobs', { name: 'often', every, values: { kind: 'often' }, missed: 'all' })
  await deploy({ schedules: [often('24h'), declared('nightly')] })
  await sql`update job_schedules set last_slot = now() - interval '40 hours'`.execute(db)
  for (const name of ['often', 'nightly']) await setNextSlot(db, name, '30 s')
  const { told } = await running(db, { schedules: [often('1m'), declared('nightly', { cron: '0 4 * * *' })] })
  await expect.poll(() => told.length).toBe(2)
  expect(told.map(({ jobs }) => jobs.length)).toEqual([1, 1])
})

test('a slot far beyond what is expected, as a clock that was wrong leaves it, is put right by a start', async () => {
  const often = schedule(db, 'report_jobs', { name: 'often', every: '1h', values: { kind: 'often' } })
  await deploy({ schedules: [often, declared('nightly')] })
  await sql`update job_schedules set next_slot = now() + interval '3 years', last_slot = now() + interval '3 years'`.execute(
    db,
  )
  await deploy({ schedules: [often, declared('nightly')] })
  for (const { nextSlot } of await listSchedules(db)) {
    expect(nextSlot?.getTime()).toBeLessThan(Date.now() + 25 * 3_600_000)
  }
})

test('code takes over a schedule of the same name that was added by hand, which is refused the other way round', async () => {
  await addSchedule(db, 'report_jobs', { name: 'nightly', cron: '@daily', values: { kind: 'a' } })
  await deploy({ schedules: [declared('nightly')] })
  expect(await listSchedules(db)).toMatchObject([{ declared: true, cron: '0 3 * * *' }])
  await expect(
    addSchedule(db, 'report_jobs', { name: 'nightly', cron: '@daily', values: { kind: 'a' } }),
  ).rejects.toThrow(
    'The schedule "nightly" of report_jobs is declared in code: change it there, or choose another name',
  )
})

test('a schedule that code declared once is not replaced by hand either, until it is removed', async () => {
  await deploy({ schedules: [declared('nightly')] })
  await deploy({ schedules: [] })
  const add = () => addSchedule(db, 'report_jobs', { name: 'nightly', cron: '@daily', values: { kind: 'a' } })
  await expect(add()).rejects.toThrow(
    /"nightly" of report_jobs was declared in code, which none that runs has done since \d{4}-.*; it is removed an hour after that: call removeSchedule\(db, 'report_jobs', "nightly"\) first/,
  )
  await removeSchedule(db, 'report_jobs', 'nightly')
  await add()
  expect(await listSchedules(db)).toMatchObject([{ declared: false, cron: '@daily' }])
})

test('many runners that start at once with other lists in other orders do not get in each other’s way', async () => {
  const list = Array.from({ length: 12 }, (_, n) => declared(`schedule ${n}`))
  await Promise.all([list, list.toReversed(), list, list.toReversed()].map((schedules) => deploy({ schedules })))
  expect(await names()).toHaveLength(12)
})

test('what is wrong is refused when it is declared', () => {
  const refused = (options: object) => () =>
    schedule(db, 'report_jobs', { name: 'a', cron: '@daily', values: { kind: 'a' }, ...options })
  expect(refused({ name: '' })).toThrow(
    new ScheduleError(
      'INVALID_SCHEDULE',
      `name: "" is invalid; give a text of at most 200 characters, as in 'nightly'`,
    ),
  )
  expect(refused({ missed: 'some' })).toThrow(`missed: "some" is invalid; give 'skip', 'once' or 'all'`)
  expect(refused({ skipIfUnfinished: 1 })).toThrow('skipIfUnfinished: 1 is invalid; give true or false')
  expect(refused({ values: [] })).toThrow(
    'values: an array is invalid; give the columns of the job, or a function of the slot',
  )
  expect(refused({ values: { kind: 'a', status: 'b' } })).toThrow('report_jobs.status is written by the queue alone')
  expect(refused({ zone: 'UTC' })).toThrow(
    'zone: no such option; there are name, cron, timeZone, every, values, missed, skipIfUnfinished',
  )
})

test('a runner refuses what is no schedule, twice the same one, and one of another database', async () => {
  const workers = [createWorker(db, 'report_jobs', () => {}, { logger: quiet })]
  const refused = (options: object) => () => createRunner(db, { workers, ...options })
  expect(refused({ schedules: [{ name: 'a' }] })).toThrow(RunnerOptionError)
  expect(refused({ schedules: [declared('a'), declared('a')] })).toThrow(
    'schedules: "a" of report_jobs is declared twice',
  )
  expect(refused({ undeclared: 'drop' })).toThrow(`undeclared: "drop" is invalid; give 'remove' or 'keep'`)
  await using other = await createTestDatabase<ReportDatabase>()
  const stranger = schedule(other.db, 'report_jobs', { name: 'a', cron: '@daily', values: { kind: 'a' } })
  expect(refused({ schedules: [stranger] })).toThrow('schedules: "a" of report_jobs was declared with another Kysely')
  expect(() => createRunner(db, { workers: [] })).toThrow(
    'workers: give at least one worker, as in { workers: [mail] }, or schedules, as in { workers: [], schedules: [nightly] }',
  )
})

test('values that only code can give are not kept; plain ones are, also those that JSON does not have', async () => {
  const kept = { kind: 'a', pages: 3, scheduled_for: new Date('2030-01-01T00:00Z') }
  await deploy({
    schedules: [
      declared('a function', { values: () => ({ kind: 'a' }) }),
      declared('an expression', { values: { kind: sql<string>`current_user` } }),
      declared('plain', { values: kept }),
    ],
  })
  const [first, second, plain] = (await listSchedules(db)).map(({ values }) => values)
  expect([first, second]).toEqual([undefined, undefined])
  expect({ ...plain, scheduled_for: new Date(String(plain?.scheduled_for)) }).toEqual(kept)
})

test('without their table, or with one of another version, a runner that declares schedules says what to do', async () => {
  await using other = await createTestDatabase<ReportDatabase>()
  await createJobTable(other.db, 'report_jobs', (table) => table.addColumn('kind', 'text'))
  const start = async (
    schedules = [schedule(other.db, 'report_jobs', { name: 'a', cron: '@daily', values: { kind: 'a' } })],
  ) => {
    const worker = createWorker(other.db, 'report_jobs', () => {}, { logger: quiet })
    const runner = createRunner(other.db, { workers: [worker], schedules, logger: quiet })
    await runner.start()
    await runner.stop()
  }
  await expect(start()).rejects.toThrow(
    new SideTableError(
      'NO_SIDE_TABLE',
      'There is no table "job_schedules" in this database: let a migration call createJobSchedules(db) of kysely-jobs/migrate',
    ),
  )
  await createJobSchedules(other.db)
  await createJobSchedules(other.db) // again
  await start()
  const comment = async (text: string) => sql.raw(`comment on table job_schedules is '${text}'`).execute(other.db)
  await comment('Recurring jobs of kysely-jobs. Version 9, for packages that know version 8 or a later one.')
  await expect(start()).rejects.toThrow(
    '"public"."job_schedules" is of version 9, for packages that know version 8; this one knows 1: install a later kysely-jobs',
  )
  await comment('Recurring jobs of kysely-jobs. Version 9, for packages that know version 1 or a later one.')
  await start()
  await comment('Recurring jobs of kysely-jobs. Version 0, for packages that know version 0 or a later one.')
  await expect(start()).rejects.toThrow(
    'is of version 0, and this package needs 1: let a migration call createJobSchedules(db)',
  )
  await comment('mine')
  await expect(start()).rejects.toThrow('has lost its comment, which says of what version it is: let a migration call')
  await createJobSchedules(other.db)
  await start()
  await dropJobSchedules(other.db)
  await other.db.schema.createTable('job_schedules').addColumn('name', 'text').execute()
  await expect(start()).rejects.toThrow('is there, and no table that createJobSchedules made: rename it')
  await expect(createJobSchedules(other.db)).rejects.toThrow(SideTableTakenError)
  await expect(dropJobSchedules(other.db)).rejects.toThrow(SideTableTakenError)
})

test('a migration makes the table and drops it, with its handle’s schema', async () => {
  await using other = await createTestDatabase()
  await other.db.schema.createSchema('app').execute()
  const app: Kysely<any> = other.db.withSchema('app')
  await createJobTable(app, 'jobs')
  await createJobSchedules(app)
  await addSchedule(app, 'jobs', { name: 'a', cron: '@daily' })
  expect(await listSchedules(app)).toMatchObject([{ table: 'app.jobs', name: 'a' }])
  await dropJobSchedules(app)
  await dropJobSchedules(app)
  await expect(listSchedules(app)).rejects.toThrow('There is no table "app"."job_schedules"')
})

test('a role that may not use the table is told which grant it lacks', async () => {
  await using other = await createTestDatabase<ReportDatabase>()
  await createReportTables(other.db)
  await sql`create role clerk`.execute(other.db).catch(() => {}) // roles are of the whole server
  await sql`grant select on job_schedules to clerk`.execute(other.db)
  await other.db.connection().execute(async (connection) => {
    await sql`set role clerk`.execute(connection)
    expect(await listSchedules(connection)).toEqual([])
    await expect(pauseSchedule(connection, 'report_jobs', 'a')).rejects.toThrow(
      '"public"."job_schedules" may not be used by this role: grant select, insert, update, delete on "public"."job_schedules" to it',
    )
    await sql`reset role`.execute(connection)
  })
})
