import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { createWorker, enqueue, fetchNextJobs, rescue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** A job as a worker that was killed leaves it. */
async function abandoned(to: string, values: { attempts?: number; error?: string } = {}) {
  const { id } = await enqueue(db, 'mail_jobs', { to })
  await sql`update mail_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), locked_at = now() - interval '1 hour',
    attempts_count = ${values.attempts ?? 1}, last_error = ${values.error ?? null} where id = ${id}`.execute(db)
  return id
}

function worker(handler: Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2], options: object = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('a job of a worker that is gone runs again, and is told of', async () => {
  const id = await abandoned('ada')
  const seen: number[] = []
  const rescuer = worker(async (_job, { attempt }) => {
    seen.push(attempt)
  })
  const rescued = next(rescuer, 'rescued')
  const succeeded = next(rescuer, 'succeeded')
  await rescuer.start()
  expect(await rescued).toEqual({ jobs: [{ id, attempt: 1, status: 'job_status_retry' }] })
  await succeeded
  expect(seen).toEqual([2])
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 2 }])
})

test('a job that used up its attempts by killing its workers fails, and says so', async () => {
  await abandoned('ada', { attempts: 10 })
  const rescuer = worker(() => Promise.reject(new Error('it must not run')))
  const rescued = next(rescuer, 'rescued')
  await rescuer.start()
  await rescued
  expect(await rows()).toMatchObject([
    {
      status: 'job_status_failed',
      attempts_count: 10,
      last_error: expect.stringMatching(
        /^Lease expired \(1 in a row\): worker [0-9a-f-]{36} stopped renewing it during attempt 10/,
      ),
    },
  ])
})

test('a rescue honours a limit of attempts that depends on the job', async () => {
  await abandoned('ada', { attempts: 3 })
  await abandoned('bob', { attempts: 3 })
  const rescuer = worker(async () => {}, { maxAttempts: (job: { to: string }) => (job.to === 'ada' ? 3 : 4) })
  const succeeded = next(rescuer, 'succeeded')
  await rescuer.start()
  await succeeded
  expect(await rows()).toMatchObject([
    { status: 'job_status_failed' },
    { status: 'job_status_succeeded', attempts_count: 4 },
  ])
})

test('a job that was taken over twice in a row runs alone, and the others go on after it', async () => {
  const running = new Set<string>()
  const together: string[][] = []
  await abandoned('suspect', { attempts: 2, error: 'Lease expired (1 in a row): worker x stopped renewing it' })
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'b', 'c', 'd', 'e'].map((to) => ({ to })),
  )
  const crew = worker(async ({ to }) => {
    running.add(to)
    await new Promise((resolve) => setImmediate(resolve))
    together.push([...running])
    running.delete(to)
  })
  const idle = next(crew, 'idle', () => together.length === 6)
  await crew.start()
  await idle
  expect(together.filter((names) => names.includes('suspect'))).toEqual([['suspect']])
  expect((await rows()).map(({ status }) => status)).toEqual(Array(6).fill('job_status_succeeded'))
})

test('a suspect that can not be alone in time is put off, without losing its attempt', async () => {
  const held = Promise.withResolvers<void>()
  await enqueue(db, 'mail_jobs', { to: 'long' })
  await abandoned('suspect', { attempts: 2, error: 'Lease expired (1 in a row): worker x stopped renewing it' })
  const crew = worker(({ to }) => (to === 'long' ? held.promise : Promise.resolve()), { lease: '1s' })
  const snoozed = next<{ job: { to: string } }>(crew, 'snoozed')
  const succeeded = next(crew, 'succeeded', ({ job }: { job: { to: string } }) => job.to === 'suspect')
  await crew.start()
  expect((await snoozed).job.to).toBe('suspect')
  held.resolve()
  await succeeded
  expect(await rows()).toMatchObject([
    { to: 'long', status: 'job_status_succeeded' },
    { to: 'suspect', attempts_count: 3 },
  ])
})

test('a job that was taken over does not wait behind all that became due with it', async () => {
  const [, , last] = await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }, { to: 'taken over' }])
  await sql`update mail_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), locked_at = now() - interval '1 hour',
    attempts_count = 1 where id = ${last?.id}`.execute(db)
  await rescue(db, 'mail_jobs', { lease: '1m', maxAttempts: 10 })
  const [first] = await fetchNextJobs(db, 'mail_jobs', { worker: randomUUID(), limit: 1 })
  expect(first).toMatchObject({ to: 'taken over', attempts_count: 2 })
})
