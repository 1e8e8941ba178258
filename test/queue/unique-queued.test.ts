import { sql } from 'kysely'
import { enqueue, retryJobs } from 'kysely-jobs'
import { fetchNextJobs, release, rescue, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { age, worker } from './mail-jobs.js'
import { createSyncTables, type SyncDatabase, statuses, unique } from './sync-jobs.js'

const { db } = await testDatabase<SyncDatabase>(createSyncTables)
const orders = { shop: 1, resource: 'orders' }
const queue = { unique, whileRunning: 'queue' } as const

beforeEach(() => db.deleteFrom('queued_jobs').execute())

async function claim() {
  const jobs = await fetchNextJobs(db, 'queued_jobs', { worker, limit: 100 })
  return jobs.map(({ id, attempts_count }) => ({ id, attempt: attempts_count }))
}

/** Whether some connection waits for a lock. */
async function waits(): Promise<boolean> {
  const waiting = sql<{ waits: boolean }>`
    select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`
  return (await waiting.execute(db)).rows[0]?.waits ?? false
}

const enqueued = (cursor = 'a') => enqueue(db, 'queued_jobs', { ...orders, cursor }, queue)

test('beside a job that runs one more is queued, and no third', async () => {
  const first = await enqueued()
  expect(await enqueued()).toEqual({ job: first.job, isNew: false })
  await claim()
  const second = await enqueued()
  expect(second.isNew).toBe(true)
  expect(await enqueued()).toEqual({ job: second.job, isNew: false })
  expect(await statuses(db, 'queued_jobs')).toEqual(['running', 'not_started'])
})

test('replace and keepEarliest change the one that is queued, and leave the one that runs', async () => {
  const first = await enqueued('a')
  await claim()
  const second = await enqueued('b')
  const replaced = await enqueue(
    db,
    'queued_jobs',
    { ...orders, cursor: 'c' },
    { ...queue, onConflict: 'replace', delay: '1h' },
  )
  expect(replaced).toMatchObject({ isNew: false, job: { id: second.job.id, cursor: 'c' } })
  const earlier = await enqueue(db, 'queued_jobs', { ...orders, cursor: 'd' }, { ...queue, onConflict: 'keepEarliest' })
  expect(earlier).toMatchObject({ isNew: false, job: { id: second.job.id, cursor: 'c' } })
  expect(earlier.job.run_at.getTime()).toBeLessThan(replaced.job.run_at.getTime())
  const running = await db
    .selectFrom('queued_jobs')
    .selectAll()
    .where('id', '=', first.job.id)
    .executeTakeFirstOrThrow()
  expect(running).toMatchObject({ cursor: 'a', status: 'job_status_running' })
})

test.each(['retry', 'snoozed', 'released', 'rescued'] as const)(
  'a job that runs is %s though another is queued beside it, and both run',
  async (kind) => {
    await enqueued()
    const [lease] = await claim()
    await enqueued()
    if (kind === 'rescued') {
      await age(db, '1 hour', 'queued_jobs')
      expect(await rescue(db, 'queued_jobs', { lease: '1m', maxAttempts: 5 })).toHaveLength(1)
    } else if (kind === 'released') {
      expect(await release(db, 'queued_jobs', [lease!], { worker })).toHaveLength(1)
    } else {
      expect(await settle(db, 'queued_jobs', [{ ...lease!, kind, error: 'no', delay: 0 }], { worker })).toHaveLength(1)
    }
    await age(db, '1 minute', 'queued_jobs')
    expect(await claim()).toHaveLength(2)
  },
)

test('retryJobs of a job beside which another is queued is refused, and stops no other', async () => {
  await enqueued()
  const [lease] = await claim()
  await enqueued()
  await settle(db, 'queued_jobs', [{ ...lease!, kind: 'failed', error: 'no' }], { worker })
  await enqueue(db, 'queued_jobs', { shop: 2, resource: 'orders' }, queue)
  const retried = await retryJobs(db, 'queued_jobs', { where: (job) => job('shop', 'in', [1, 2]) })
  expect(retried).toHaveLength(2)
  expect(retried.refused).toMatchObject([{ id: lease?.id, error: { code: '23505' } }])
})

test('the job that stands is not begun before the transaction that counts on it has ended', async () => {
  const { job } = await enqueued()
  await db.transaction().execute(async (trx) => {
    expect(await enqueue(trx, 'queued_jobs', orders, queue)).toEqual({ job, isNew: false })
    expect(await claim()).toEqual([])
  })
  expect(await claim()).toHaveLength(1)
})

test('a job that an open transaction has begun is waited for, and one more is queued', async () => {
  const { job } = await enqueued()
  const holder = await db.startTransaction().execute()
  onTestFinished(() => (holder.isCommitted ? undefined : holder.rollback().execute()))
  await holder.selectFrom('queued_jobs').select('id').where('id', '=', job.id).forNoKeyUpdate().execute() // as a hold does
  const second = enqueued()
  let answered = false
  second.then(() => {
    answered = true
  })
  await expect.poll(async () => answered || (await waits())).toBe(true)
  expect(answered).toBe(false)
  await holder.updateTable('queued_jobs').set({ status: 'job_status_succeeded' }).where('id', '=', job.id).execute()
  await holder.commit().execute()
  expect(await second).toMatchObject({ isNew: true })
})

test('a job that began while a call waited for it is not kept locked by the transaction of the call', async () => {
  const { job } = await enqueued()
  const [claiming, calling] = [await db.startTransaction().execute(), await db.startTransaction().execute()]
  onTestFinished(() =>
    calling
      .rollback()
      .execute()
      .then(
        () => {},
        () => {},
      ),
  )
  await claiming.selectFrom('queued_jobs').select('id').where('id', '=', job.id).forNoKeyUpdate().execute()
  const second = enqueue(calling, 'queued_jobs', orders, queue)
  await expect.poll(waits).toBe(true)
  await claiming.updateTable('queued_jobs').set({ status: 'job_status_running', locked_at: new Date() }).execute()
  await claiming.commit().execute()
  expect((await second).isNew).toBe(true)
  const lock = db.selectFrom('queued_jobs').select('id').where('id', '=', job.id).forNoKeyUpdate().noWait()
  expect(await lock.execute()).toEqual([{ id: job.id }])
})

test('in the very transaction that holds a job, that job stands', async () => {
  const { job } = await enqueued()
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('queued_jobs').select('id').where('id', '=', job.id).forNoKeyUpdate().execute() // as a batch does
    expect(await enqueue(trx, 'queued_jobs', orders, queue)).toEqual({ job, isNew: false })
  })
})
