import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { fetchNextJobs, heartbeat, isClaimable, nextDueAt, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { claimed, createMailJobs, jobs, other, worker } from './mail-jobs.js'

const { db } = await testDatabase(createMailJobs)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

/** A pending job that is still locked, an hour since its last heartbeat. */
async function locked(to: string, values: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const pending = { to, status: 'job_status_retry', attempts_count: 1, run_at: sql`now() - interval '1 hour'` }
  const lock = { locked_by: other, locked_at: sql`now() - interval '1 hour'` }
  await db
    .insertInto('mail_jobs')
    .values({ ...pending, ...lock, ...values })
    .execute()
}

const fetch = (options: object = {}) => fetchNextJobs(db, 'mail_jobs', { worker, limit: 100, lease: '60s', ...options })

const names = async (options: object = {}) => (await fetch(options)).map(({ to }) => to)

/** What a worker is told of the next job: by the fetch's question, and by the look at all tables. */
async function isDue(priority: boolean): Promise<boolean[]> {
  const columns = priority ? (['priority'] as const) : []
  const [polled] = await pollTables([
    { jobs: jobsOf(db, 'mail_jobs'), lease: 60_000, claim: { columns, lease: 60_000 } },
  ])
  const due = await nextDueAt(db, 'mail_jobs', { lease: '60s', columns })
  return [due !== undefined && due <= 0, polled?.due !== null && Number(polled?.due) <= 0]
}

test('a job that was left locked is claimed by a fetch with a lease, and by no other', async () => {
  await locked('ada')
  expect(await names({ lease: undefined })).toEqual([])
  expect(await nextDueAt(db, 'mail_jobs')).toBeUndefined()
  expect(await fetch()).toMatchObject([{ to: 'ada', locked_by: worker, attempts_count: 2 }])
})

test.each([
  ['without a date', null],
  ['with a date in the future', '3000-01-01'],
  ['with a date that never comes', 'infinity'],
])('so is one that never started, and was locked by hand %s', async (_, locked_at) => {
  await locked('ada', { status: 'job_status_not_started', attempts_count: 0, locked_at })
  expect(await fetch()).toMatchObject([{ to: 'ada', attempts_count: 1 }])
})

test('a lock that is renewed, and a job that is not due, are left alone', async () => {
  await locked('renewed', { locked_at: sql`now() - interval '50 seconds'` })
  await locked('later', { run_at: sql`now() + interval '1 hour'` })
  await locked('running', { status: 'job_status_running' })
  await locked('failed', { status: 'job_status_failed' })
  const before = await jobs(db)
  expect(await names()).toEqual([])
  expect(await names({ columns: ['priority'] })).toEqual([])
  expect(await jobs(db)).toEqual(before)
})

test.each([false, true])('whoever asks for the next due time is told of it (by priority: %s)', async (priority) => {
  expect(await isDue(priority)).toEqual([false, false])
  await locked('renewed', { locked_at: sql`now()` })
  expect(await isDue(priority)).toEqual([false, false])
  await locked('ada')
  expect(await isDue(priority)).toEqual([true, true])
})

test('it takes its turn, by priority and by run_at', async () => {
  await enqueue(db, 'mail_jobs', [
    { to: 'second', priority: 1 },
    { to: 'fourth', priority: 0 },
  ])
  await locked('first', { priority: 1 })
  await locked('third', { priority: 0 })
  expect(await names({ columns: ['priority'] })).toEqual(['first', 'second', 'third', 'fourth'])
})

test('an attempt that goes on after its row was set to retry keeps its lock by renewing it, and ends as ever', async () => {
  const [lease] = await claimed(db, 'ada')
  const aged = { status: 'job_status_retry', locked_at: sql`now() - interval '1 hour'` }
  await db.updateTable('mail_jobs').set(aged).execute()
  expect(await heartbeat(db, 'mail_jobs', [lease], { worker })).toEqual([lease])
  expect(await names()).toEqual([])
  expect(await settle(db, 'mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })).toHaveLength(1)
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_succeeded' }])
})

test('an attempt whose row was claimed by another can write nothing any more, whoever the other is', async () => {
  const [lease] = await claimed(db, 'ada')
  const aged = { status: 'job_status_retry', locked_at: sql`now() - interval '1 hour'` }
  await db.updateTable('mail_jobs').set(aged).execute()
  expect(await names()).toEqual(['ada']) // by the same worker
  expect(await settle(db, 'mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })).toEqual([])
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_running', attempts_count: 2 }])
})

test('a row that another transaction holds is passed over', async () => {
  await locked('held')
  await locked('free')
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').selectAll().where('to', '=', 'held').forUpdate().execute()
    expect(await names()).toEqual(['free'])
  })
  expect(await names()).toEqual(['held'])
})

test('the predicate says the same in queries of the user', async () => {
  await locked('ada')
  const waiting = (lease?: '60s') =>
    db
      .selectFrom('mail_jobs as waiting')
      .select('to')
      .where(isClaimable('waiting', lease))
      .where('to', '=', 'ada')
      .execute()
  expect(await waiting()).toEqual([])
  expect(await waiting('60s')).toEqual([{ to: 'ada' }])
})
