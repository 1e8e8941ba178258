import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import {
  addSchedule,
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  schedule,
  triggerSchedule,
} from 'kysely-jobs'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createReportTables, type ReportDatabase, reports, running, setNextSlot } from './reports.js'

const { db } = await testDatabase<ReportDatabase>(createReportTables)

beforeEach(async () => {
  await sql`truncate job_schedules, report_jobs, mail_jobs`.execute(db)
})

const add = (name: string, more: object = {}) =>
  addSchedule(db, 'report_jobs', { name, cron: '@yearly', values: { kind: name }, ...more })

test('a schedule is added, replaced, and removed', async () => {
  await add('weekly')
  await add('weekly', { cron: '@weekly', values: { kind: 'other' } })
  expect(await listSchedules(db)).toMatchObject([{ name: 'weekly', cron: '@weekly', values: { kind: 'other' } }])
  expect(await removeSchedule(db, 'report_jobs', 'weekly')).toBe(true)
  expect(await removeSchedule(db, 'report_jobs', 'weekly')).toBe(false)
  expect(await listSchedules(db)).toEqual([])
})

test('in a transaction that is rolled back nothing was added', async () => {
  const failing = db.transaction().execute(async (trx) => {
    await addSchedule(trx, 'report_jobs', { name: 'a', cron: '@daily', values: { kind: 'a' } })
    throw new Error('on purpose')
  })
  await expect(failing).rejects.toThrow('on purpose')
  expect(await listSchedules(db)).toEqual([])
})

test('values that can not be kept are refused', async () => {
  await expect(add('a', { values: () => ({ kind: 'a' }) })).rejects.toThrow(
    'give plain values, or declare the schedule',
  )
  await expect(add('a', { values: { kind: sql<string>`current_user` } })).rejects.toThrow('give plain values')
})

test('a paused schedule fires nothing, and resumed it goes on with the next slot', async () => {
  await add('weekly', { missed: 'all' })
  await pauseSchedule(db, 'report_jobs', 'weekly')
  await setNextSlot(db, 'weekly', '2 min')
  const { told } = await running(db)
  await add('other')
  await setNextSlot(db, 'other', '0 s')
  const second = await running(db)
  await expect.poll(() => [...told, ...second.told].map((event) => event.schedule)).toEqual(['other'])
  await resumeSchedule(db, 'report_jobs', 'weekly')
  const [, state] = await listSchedules(db)
  expect(state).toMatchObject({ name: 'weekly', pausedAt: undefined })
  expect(state?.nextSlot?.getTime()).toBeGreaterThan(Date.now())
})

test('one that is triggered makes a job now, paused or not, and its slots stay as they are', async () => {
  await add('weekly')
  const [before] = await listSchedules(db)
  await pauseSchedule(db, 'report_jobs', 'weekly')
  const job = await triggerSchedule(db, 'report_jobs', 'weekly')
  expect(await reports(db)).toEqual([job])
  expect(job).toMatchObject({ kind: 'weekly', scheduled_for: expect.any(Date), status: 'job_status_not_started' })
  expect(await listSchedules(db)).toEqual([{ ...before, lastJob: job?.id, pausedAt: expect.any(Date) }])
})

test('resumed by two at once it goes on once, from where it is', async () => {
  await add('weekly', { every: '1h', cron: undefined })
  await pauseSchedule(db, 'report_jobs', 'weekly')
  await resumeSchedule(db, 'report_jobs', 'weekly')
  await setNextSlot(db, 'weekly', '-5 h')
  const [before] = await listSchedules(db)
  await resumeSchedule(db, 'report_jobs', 'weekly')
  expect(await listSchedules(db)).toEqual([before])
})

test('triggered three times before a runner comes, it makes three jobs', async () => {
  const given = schedule(db, 'report_jobs', { name: 'coded', cron: '@yearly', values: () => ({ kind: 'coded' }) })
  const first = await running(db, { schedules: [given] })
  await first.runner.stop()
  for (let n = 0; n < 3; n++) await triggerSchedule(db, 'report_jobs', 'coded')
  const { told } = await running(db, { schedules: [given] })
  await expect.poll(() => told.length).toBe(1)
  expect(await reports(db)).toHaveLength(3)
})

test('a schedule of a table that is gone can be removed', async () => {
  await add('weekly')
  await sql`update job_schedules set job_table = 'gone_jobs'`.execute(db)
  expect(await removeSchedule(db as Kysely<any>, 'gone_jobs', 'weekly')).toBe(true)
})

test('one whose values code gives is triggered by way of a runner that has the code', async () => {
  const given = schedule(db, 'report_jobs', { name: 'coded', cron: '@yearly', values: () => ({ kind: 'coded' }) })
  const first = await running(db, { schedules: [given] })
  await first.runner.stop()
  expect(await triggerSchedule(db, 'report_jobs', 'coded')).toBeUndefined()
  await pauseSchedule(db, 'report_jobs', 'coded')
  const without = await running(db)
  await without.runner.stop()
  expect(await reports(db)).toEqual([])
  await setNextSlot(db, 'coded', '0 s')
  const { told } = await running(db, { schedules: [given] })
  await expect.poll(() => told.length).toBe(1)
  expect(await reports(db)).toMatchObject([{ kind: 'coded', scheduled_for: told[0]?.slots[0] }])
})

test('in a transaction it is part of it', async () => {
  await add('weekly')
  const failing = db.transaction().execute(async (trx) => {
    await triggerSchedule(trx, 'report_jobs', 'weekly')
    throw new Error('on purpose')
  })
  await expect(failing).rejects.toThrow('on purpose')
  expect([await reports(db), (await listSchedules(db))[0]?.lastJob]).toEqual([[], undefined])
})

test('a name that is not there is an error with those that are', async () => {
  await expect(pauseSchedule(db, 'report_jobs', 'dayly')).rejects.toThrow(
    'There is no schedule "dayly" of report_jobs: it has none',
  )
  await add('daily')
  for (const verb of [pauseSchedule, resumeSchedule, triggerSchedule]) {
    await expect(verb(db, 'report_jobs', 'dayly')).rejects.toThrow(
      'There is no schedule "dayly" of report_jobs: it has "daily"',
    )
  }
})

test('handles with plugins: values are kept by their real names, and jobs come as the user’s types say', async () => {
  const camel: Kysely<any> = db.withPlugin(new CamelCasePlugin())
  const values = { kind: 'a', scheduledFor: new Date(0) }
  await addSchedule(camel, 'reportJobs', { name: 'a', every: '1h', values })
  const [state] = await listSchedules(db, 'report_jobs')
  expect(Object.keys(state?.values ?? {})).toEqual(['kind', 'scheduled_for'])
  const job = await triggerSchedule(camel, 'reportJobs', 'a')
  expect(job).toMatchObject({ kind: 'a', scheduledFor: new Date(0), attemptsCount: 0 })
})

test('and a function of the slot is inserted by the handle that it was declared with', async () => {
  const camel: Kysely<any> = db.withPlugin(new CamelCasePlugin())
  const given = schedule(camel, 'reportJobs', { name: 'coded', cron: '@yearly', values: () => ({ kind: 'coded' }) })
  const first = await running(db, { schedules: [given] })
  await first.runner.stop()
  await setNextSlot(db, 'coded', '0 s')
  const { told } = await running(db, { schedules: [given] })
  await expect.poll(() => told.length).toBe(1)
  expect(await reports(db)).toMatchObject([{ kind: 'coded', scheduled_for: told[0]?.slots[0] }])
})
