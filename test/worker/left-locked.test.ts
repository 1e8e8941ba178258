import { sql } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

function worker(handler: Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2], options: object = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

/** Jobs that a worker left when it was killed, and that SQL set to retry by their status alone. */
const leaveLocked = (count: number, to = 'ada') =>
  sql`insert into mail_jobs ("to", status, locked_by, locked_at, attempts_count, run_at)
    select ${to}, 'job_status_retry', gen_random_uuid(), now() - interval '1 hour', 1, now() - n * interval '1 second'
    from generate_series(1, ${count}::int) as n`.execute(db)

const statuses = async () =>
  (await db.selectFrom('mail_jobs').select('status').distinct().execute()).map(({ status }) => status)

test('jobs that were left locked run, all of them, one after the other', async () => {
  await leaveLocked(250)
  const made = worker(() => {}, { lease: '10m', pollInterval: '1h' })
  const idle = next(made, 'idle')
  await made.start()
  await idle
  expect(await statuses()).toEqual(['job_status_succeeded'])
})

test('a worker finds them within a third of its lease, however seldom it polls', async () => {
  const made = worker(() => {}, { lease: '1s', pollInterval: '1h' })
  const idle = next(made, 'idle')
  await made.start()
  await idle
  const succeeded = next(made, 'succeeded')
  await leaveLocked(1)
  await succeeded
})

test('an attempt of a living worker is not taken by another, though its row was set to retry', async () => {
  const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let runs = 0
  const handler = async () => {
    runs += 1
    begun.resolve()
    await held.promise
  }
  await sql`insert into mail_jobs ("to") values ('ada')`.execute(db)
  const [first, second] = [worker(handler, { lease: '1s' }), worker(handler, { lease: '1s' })]
  await first.start()
  await begun.promise
  const renewed = () => sql`select from mail_jobs where locked_at > run_at + interval '1500 milliseconds'`.execute(db)
  await db.updateTable('mail_jobs').set({ status: 'job_status_retry' }).execute()
  await second.start()
  await expect.poll(async () => (await renewed()).rows.length, { timeout: 10_000 }).toBe(1) // older than a lease
  const succeeded = next(first, 'succeeded')
  held.resolve()
  await succeeded
  expect(runs).toBe(1)
})
