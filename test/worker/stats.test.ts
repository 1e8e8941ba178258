import { sql } from 'kysely'
import { cancelJobs, enqueue, FatalError, quantile, snooze } from 'kysely-jobs'
import { beforeEach, expect, test } from 'vitest'
import { countOf } from '../../src/records/histogram.js'
import { consoleLogger } from '../../src/worker/logger.js'
import { testDatabase } from '../support/database.js'
import {
  createMailTables,
  type MailDatabase,
  type MailHandler,
  mailWorker,
  next,
  startMailWorker,
} from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Drops the lines of successes, as the default does, and keeps quiet. */
const unread = { ...consoleLogger, warn: () => {}, error: () => {} }

const outcomes: MailHandler = ({ to }) => {
  if (to === 'retry') throw new Error('busy')
  if (to === 'failed') throw new FatalError('no')
  if (to === 'snoozed') return snooze('1h')
  return undefined
}

test('a worker counts what became of its jobs, whether or not anybody listens', async () => {
  const names = ['ada', 'bob', 'eve', 'retry', 'failed', 'snoozed']
  await enqueue(
    db,
    'mail_jobs',
    names.map((to) => ({ to })),
  )
  const worker = mailWorker(db, outcomes, { logger: unread })
  expect(worker.stats()).toMatchObject({ claimed: 0, succeeded: 0, wait: { sum: 0 } })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const stats = worker.stats()
  expect(stats).toMatchObject({ claimed: 6, succeeded: 3, retry: 1, failed: 1, snoozed: 1, timedOut: 0, lost: 0 })
  expect(countOf(stats.wait)).toBe(6)
  expect(countOf(stats.duration)).toBe(6)
})

test('one to whose successes somebody listens counts each of them once', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  const worker = mailWorker(db, outcomes)
  worker.on('succeeded', () => {})
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(worker.stats()).toMatchObject({ claimed: 2, succeeded: 2 })
})

test('how long jobs waited and ran is in its histograms, also where a worker has asked for few columns', async () => {
  for (const select of [undefined, ['to'] as const]) {
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    await db.updateTable('mail_jobs').set({ run_at: sql`now() - interval '2 hours'` }).execute()
    const worker = mailWorker(db, outcomes, { ...(select && { select: [...select] as never }) })
    const idle = next(worker, 'idle')
    await worker.start()
    await idle
    await worker.stop()
    const { wait, duration } = worker.stats()
    expect(wait.sum).toBeGreaterThan(7_200_000)
    expect(quantile(wait, 0.5)).toBeGreaterThan(7_200_000 / 1.42)
    expect(quantile(wait, 0.5)).toBeLessThan(7_200_000 * 1.42)
    expect(countOf(duration)).toBe(1)
    expect(duration.sum).toBeLessThan(7_200_000)
  }
})

test('attempts that were timed out, cancelled, released or lost are counted as that', async () => {
  const asked: MailHandler = (_job, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const stats = async (end: (id: string) => Promise<unknown>, options = {}) => {
    const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
    const worker = mailWorker(db, asked, { maxAttempts: 1, ...options })
    const claimed = next(worker, 'claimed')
    await worker.start()
    await claimed
    await end(id)
    await expect.poll(() => worker.health().running).toBe(0)
    await worker.stop({ deadline: 0 })
    await db.deleteFrom('mail_jobs').execute()
    return worker.stats()
  }
  const nothing = async () => {}
  expect(await stats(nothing, { timeout: '20ms' })).toMatchObject({ timedOut: 1, failed: 0, cancelled: 0 })
  const cancelled = await stats((id) => cancelJobs(db, 'mail_jobs', { ids: [id] }))
  expect(cancelled).toMatchObject({ cancelled: 1, lost: 0 })
  const taken = { locked_by: '00000000-0000-4000-8000-000000000000' }
  const lost = await stats((id) => db.updateTable('mail_jobs').set(taken).where('id', '=', id).execute())
  expect(lost).toMatchObject({ lost: 1, cancelled: 0, succeeded: 0 })
})

test('a job that is handed back at a stop is released, and one of a worker that is gone rescued', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const gone = { status: 'job_status_running', locked_by: '00000000-0000-4000-8000-000000000000' } as const
  const old = sql<Date>`now() - interval '1 hour'`
  await db
    .updateTable('mail_jobs')
    .set({ ...gone, locked_at: old, attempts_count: 1 })
    .execute()
  const begun = Promise.withResolvers<void>()
  const worker = await startMailWorker(
    db,
    (_job, { signal }) => {
      begun.resolve()
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    { backoff: () => 0 },
  )
  await begun.promise
  await worker.stop({ deadline: 0 })
  expect(worker.stats()).toMatchObject({ rescued: 1, claimed: 1, released: 1, lost: 0 })
})
