import { sql } from 'kysely'
import { EnqueueOptionError, enqueue, JobExistsError } from 'kysely-jobs'
import { fetchNextJobs, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'
import { createSyncTables, type SyncDatabase, statuses, unique } from './sync-jobs.js'

const { db } = await testDatabase<SyncDatabase>(createSyncTables)
const orders = { shop: 1, resource: 'orders' }
const hourly = { unique, within: '1h' } as const

beforeEach(() => db.deleteFrom('hourly_jobs').execute())

async function end() {
  const jobs = await fetchNextJobs(db, 'hourly_jobs', { worker, limit: 100 })
  const outcomes = jobs.map(({ id, attempts_count }) => ({ id, attempt: attempts_count, kind: 'succeeded' }) as const)
  await settle(db, 'hourly_jobs', outcomes, { worker })
}

const age = (time: string) =>
  db
    .updateTable('hourly_jobs')
    .set({ created_at: sql`created_at - ${time}::interval` })
    .execute()

test('a job that has ended stands until its time is over', async () => {
  const first = await enqueue(db, 'hourly_jobs', orders, hourly)
  expect(first.isNew).toBe(true)
  await end()
  expect(await enqueue(db, 'hourly_jobs', orders, hourly)).toMatchObject({
    isNew: false,
    job: { id: first.job.id, status: 'job_status_succeeded' },
  })
  await age('59 minutes')
  expect((await enqueue(db, 'hourly_jobs', orders, hourly)).isNew).toBe(false)
  await age('1 minute')
  const second = await enqueue(db, 'hourly_jobs', orders, hourly)
  expect(second.isNew).toBe(true)
  await end()
  expect(await enqueue(db, 'hourly_jobs', orders, hourly)).toMatchObject({ isNew: false, job: { id: second.job.id } })
})

test('a job that has not ended stands, however old it is', async () => {
  const { job } = await enqueue(db, 'hourly_jobs', orders, hourly)
  await age('1 day')
  expect(await enqueue(db, 'hourly_jobs', orders, hourly)).toMatchObject({ isNew: false, job: { id: job.id } })
})

test('of an array each is at most one in its time', async () => {
  const rows = [3, 1, 3, 2].map((shop) => ({ shop, resource: 'r' }))
  const answer = await enqueue(db, 'hourly_jobs', rows, hourly)
  expect(answer.map(({ job, isNew }) => [job.shop, isNew])).toEqual([
    [3, true],
    [1, true],
    [3, false],
    [2, true],
  ])
  await end()
  const again = enqueue(db, 'hourly_jobs', [{ shop: 9, resource: 'r' }, ...rows], { ...hourly, onConflict: 'error' })
  await expect(again).rejects.toThrow(JobExistsError)
  await expect(again).rejects.toThrow(
    /has the same 'shop', 'resource' and has not ended, or was enqueued within 3600000 ms/,
  )
  expect(await statuses(db, 'hourly_jobs')).toHaveLength(3)
})

test('in a transaction the time counts from the moment of the call, and what is rolled back never was', async () => {
  await db.transaction().execute(async (trx) => {
    const { job } = await enqueue(trx, 'hourly_jobs', orders, hourly)
    const { rows } = await sql<{ later: boolean }>`select ${job.created_at} > now() as later`.execute(trx)
    expect(rows).toEqual([{ later: true }])
    expect((await enqueue(trx, 'hourly_jobs', orders, hourly)).isNew).toBe(false)
  })
  const undone = new Error('undone')
  const failing = db.transaction().execute(async (trx) => {
    expect((await enqueue(trx, 'hourly_jobs', { shop: 2, resource: 'r' }, hourly)).isNew).toBe(true)
    throw undone
  })
  await expect(failing).rejects.toBe(undone)
  expect((await enqueue(db, 'hourly_jobs', { shop: 2, resource: 'r' }, hourly)).isNew).toBe(true)
})

test.each(['repeatable read', 'serializable'] as const)(
  'a %s transaction is refused, as it can not see what was enqueued meanwhile',
  async (level) => {
    await db
      .transaction()
      .setIsolationLevel(level)
      .execute(async (trx) => {
        const refused = enqueue(trx, 'hourly_jobs', orders, hourly)
        await expect(refused).rejects.toThrow(EnqueueOptionError)
        await expect(refused).rejects.toThrow(`within: in a ${level} transaction`)
      })
    expect(await statuses(db, 'hourly_jobs')).toEqual([])
  },
)
