import { createWorker, enqueue, linear, retryIn, snooze, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Runs one job to its first outcome; gives its row, how many days it waits then, and what the worker complained of. */
async function runOne(handler: () => unknown, options: WorkerOptions = {}) {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const complaints: string[] = []
  await using worker = createWorker(db, 'mail_jobs', async () => handler() as undefined, { logger: quiet, ...options })
  worker.on('error', ({ error, doing }) => complaints.push(`${doing}: ${String(error)}`))
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await worker.stop()
  const row = await db.selectFrom('mail_jobs').selectAll().executeTakeFirstOrThrow()
  const wait = (row.run_at.getTime() - row.updated_at.getTime()) / 1000
  return { row, wait: Math.round(wait), complaints }
}

const fail = () => {
  throw new Error('busy')
}

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 1e300, '1e300d', undefined])(
  'a backoff function that gives %s is complained of, and the default is waited for',
  async (given) => {
    const { row, wait, complaints } = await runOne(fail, { backoff: () => given as number })
    expect(row.status).toBe('job_status_retry')
    expect(wait).toBe(30)
    expect(complaints).toEqual([expect.stringMatching(/^calling backoff\(\); 30 s are used: DurationError: backoff: /)])
  },
)

test.each([Number.NaN, -1, 1e300, Number.POSITIVE_INFINITY])(
  'a limit of attempts that is %s is complained of, and the default is used',
  async (given) => {
    const { row, complaints } = await runOne(fail, { maxAttempts: () => given })
    expect(row.status).toBe('job_status_retry')
    expect(complaints).toEqual([expect.stringContaining('which is no number of attempts')])
  },
)

test('a job may be put off, and retried, for longer than a timer of 31 bits can count', async () => {
  const months = 90 * 86_400
  expect(await runOne(() => snooze('90d'))).toMatchObject({ row: { status: 'job_status_not_started' }, wait: months })
  await db.deleteFrom('mail_jobs').execute()
  expect(await runOne(() => retryIn('90d'))).toMatchObject({ row: { status: 'job_status_retry' }, wait: months })
  await db.deleteFrom('mail_jobs').execute()
  const centuries = { backoff: linear({ delay: '1000000d' }), timeout: '60d', pollInterval: '40d' } as const
  const { row, complaints } = await runOne(fail, centuries)
  expect(row.run_at.getUTCFullYear()).toBeGreaterThan(4700)
  expect(complaints).toEqual([])
})
