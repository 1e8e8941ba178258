import { Kysely, PostgresDialect } from 'kysely'
import { cancelJobs, enqueue, guardPool, retryJobs, snooze } from 'kysely-jobs'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { createMailTables, type MailDatabase, type MailHandler, next, startMailWorker } from './mail-jobs.js'

// The fence is a worker and an attempt's number. A job that was handed back, or that a hand has let run from the beginning,
// may come to the same worker by the same number.

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const row = (id: string) => db.selectFrom('mail_jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

/** Handlers that go on until the test lets them end; the n-th of them from 0. */
function heldHandlers() {
  const runs = [0, 1].map(() => ({
    begun: Promise.withResolvers<AbortSignal>(),
    end: Promise.withResolvers<'returns' | 'throws'>(),
  }))
  let count = 0
  const handler: MailHandler = async (_job, { signal }) => {
    const run = runs[count++]
    run?.begun.resolve(signal)
    if ((await run?.end.promise) === 'throws') throw new Error('it ended badly')
  }
  return { handler, runs }
}

const started = (on: Kysely<MailDatabase>, handler: MailHandler) => startMailWorker(on, handler, { concurrency: 2 })

test('a job that was cancelled, retried and claimed anew by the same worker is the second attempt’s alone', async () => {
  const { handler, runs } = heldHandlers()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  const worker = await started(db, handler)
  const lost = next<{ attempt: number }>(worker, 'lost')
  const [first, second] = runs as [(typeof runs)[0], (typeof runs)[0]]
  const signal = await first.begun.promise
  await cancelJobs(db, 'mail_jobs', { ids: [id] })
  await retryJobs(db, 'mail_jobs', { ids: [id] })
  await second.begun.promise
  expect(signal.reason).toMatchObject({ code: 'LEASE_LOST' })
  expect(await lost).toMatchObject({ attempt: 1 })
  const succeeded = next(worker, 'succeeded')
  first.end.resolve('throws')
  second.end.resolve('returns')
  await succeeded
  expect(await row(id)).toMatchObject({
    status: 'job_status_succeeded',
    attempts_count: 1,
    last_error: expect.stringMatching(/^Cancelled/),
  })
})

test('a snooze whose reply was cut off is not written again over the next claim of its job', async () => {
  const proxy = await startProxy(url)
  const pool = guardPool(new pg.Pool({ connectionString: proxy.url }))
  const through = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(async () => {
    await through.destroy()
    proxy.close()
  })
  const second = Promise.withResolvers<void>()
  let calls = 0
  const { id } = await enqueue(db, 'mail_jobs', { to: 'bob' })
  const isSnooze = (statement: string) => statement.includes('"attempts_count" - ')
  const cut = proxy.cut('after', isSnooze)
  // the next tries come to nothing, so that the job has come back before one could be heard
  for (let tries = 0; tries < 3; tries++) void proxy.cut('before', isSnooze)
  const worker = await started(through, () => {
    if (++calls === 1) return snooze(0)
    return second.promise
  })
  const snoozed = next(worker, 'snoozed')
  await cut
  await snoozed
  const succeeded = next(worker, 'succeeded')
  second.resolve()
  await succeeded
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
  expect(calls).toBe(2)
})
