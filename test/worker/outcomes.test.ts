import { cancel, createWorker, enqueue, FatalError, linear, retryIn, snooze, type WorkerOptions } from 'kysely-jobs'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

/** Runs one job to its first outcome and gives its row. */
async function runOne(
  handler: Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2],
  options: WorkerOptions = {},
) {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  await using worker = createWorker(db, 'mail_jobs', handler, { logger: quiet, concurrency: 1, ...options })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await worker.stop()
  return db.selectFrom('mail_jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

/** Seconds from the row's last write to its next due time. */
function wait(row: { run_at: Date; updated_at: Date }): number {
  return Math.round((row.run_at.getTime() - row.updated_at.getTime()) / 1000)
}

test('a handler that returns makes the job succeed', async () => {
  const seen: string[] = []
  const row = await runOne(async (job) => {
    seen.push(job.to)
  })
  expect(seen).toEqual(['ada'])
  expect(row).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1, locked_by: null, last_error: null })
})

test('a handler that throws puts the job into retry, due after the backoff', async () => {
  const row = await runOne(() => Promise.reject(new Error('mail server away')), { backoff: linear({ delay: '90s' }) })
  expect(row).toMatchObject({ status: 'job_status_retry', attempts_count: 1, locked_by: null })
  expect(row.last_error).toMatch(/^Error: mail server away\n\s+at /)
  expect(wait(row)).toBe(90)
})

test('a backoff function gets the attempt, the error and the job', async () => {
  const row = await runOne(() => Promise.reject(new Error('slow')), {
    backoff: (attempt, error, job) =>
      attempt * 1000 * (error as Error).message.length * Reflect.get(job as object, 'to').length,
  })
  expect(wait(row)).toBe(12)
})

test('without attempts left the job fails', async () => {
  const row = await runOne(() => Promise.reject(new Error('gone')), { maxAttempts: 1 })
  expect(row).toMatchObject({ status: 'job_status_failed', attempts_count: 1 })
})

test('maxAttempts may depend on the job', async () => {
  const row = await runOne(() => Promise.reject(new Error('gone')), {
    maxAttempts: (job) => Reflect.get(job as object, 'to').length - 2,
  })
  expect(row.status).toBe('job_status_failed')
})

test('a FatalError fails the job whatever attempts are left', async () => {
  const row = await runOne(() => Promise.reject(new FatalError('no such address')))
  expect(row).toMatchObject({ status: 'job_status_failed', attempts_count: 1 })
  expect(row.last_error).toMatch(/^FatalError: no such address/)
})

test('snooze runs the job later and does not count the attempt', async () => {
  const row = await runOne(async () => snooze('5m'))
  expect(row).toMatchObject({ status: 'job_status_not_started', attempts_count: 0, locked_by: null })
  expect(wait(row)).toBe(300)
})

test('cancel ends the job on purpose', async () => {
  const row = await runOne(async () => cancel('address is on the block list'))
  expect(row).toMatchObject({ status: 'job_status_cancelled', last_error: 'Cancelled: address is on the block list' })
})

test('retryIn fails the attempt and sets the delay', async () => {
  const row = await runOne(async () => retryIn('10s', 'greylisted'))
  expect(row).toMatchObject({ status: 'job_status_retry', attempts_count: 1, last_error: 'greylisted' })
  expect(wait(row)).toBe(10)
})

test('a timeout aborts the signal, and the attempt counts as failed even if the handler returns later', async () => {
  const reasons: string[] = []
  const row = await runOne(
    async (_job, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push(signal.reason.code)
    },
    { timeout: 20 },
  )
  expect(reasons).toEqual(['TIMEOUT'])
  expect(row).toMatchObject({ status: 'job_status_retry', last_error: 'Timeout reached', attempts_count: 1 })
})

test('the last attempt that times out ends the job as timed out', async () => {
  const row = await runOne((_job, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)), {
    timeout: 20,
    maxAttempts: 1,
  })
  expect(row).toMatchObject({ status: 'job_status_timed_out', last_error: 'Timeout reached' })
})
