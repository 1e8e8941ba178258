import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { cancel, enqueue, FatalError, snooze, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { jobsOf } from '../../src/schema/job-database.js'
import { settingsOf } from '../../src/worker/options.js'
import { Attempt } from '../../src/worker/run/attempt.js'
import type { WorkerScope } from '../../src/worker/scope.js'
import { unwrittenOutcomes } from '../../src/worker/settle/unwritten.js'
import { testDatabase } from '../support/database.js'
import { telling, untilIdle, weakHandle } from './leaving.js'
import { createMailTables, type MailDatabase, type MailHandler, type MailJob, next } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

/** A worker that deletes. */
const worker = (handler: MailHandler, options: WorkerOptions<MailJob> = {}, through = db) =>
  telling(through, handler, { succeeded: 'delete', ...options })

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('of a job whose handler ended well nothing is left, and its success is told; whatever ended otherwise is kept', async () => {
  const endings: Record<string, MailHandler> = {
    cancelled: () => cancel('not wanted'),
    failed: () => Promise.reject(new FatalError('no such address')),
    retry: () => Promise.reject(new Error('busy')),
    snoozed: () => snooze('1h'),
    succeeded: () => 'a value',
    timedOut: (_job, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
  }
  await enqueue(
    db,
    'mail_jobs',
    Object.keys(endings).map((to) => ({ to })),
  )
  const maxAttempts = ({ to }: { to: string }) => (to === 'timedOut' ? 1 : 3)
  const { made, told } = worker((job, context) => endings[job.to]?.(job, context), { timeout: 50, maxAttempts })
  await untilIdle(made)
  expect(told.sort()).toEqual(Object.keys(endings))
  expect((await rows()).map(({ to, status }) => `${to}: ${status}`)).toEqual([
    'cancelled: job_status_cancelled',
    'failed: job_status_failed',
    'retry: job_status_retry',
    'snoozed: job_status_not_started',
    'timedOut: job_status_timed_out',
  ])
})

test('a job that failed before is deleted as well once its handler ends well', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { made, told } = worker(
    (_job, { attempt }) => {
      if (attempt === 1) throw new Error('busy')
    },
    { backoff: () => 0 },
  )
  await made.start()
  await next(made, 'succeeded')
  expect(told).toEqual(['retry', 'succeeded'])
  expect(await rows()).toEqual([])
})

test('a handler that goes on after its completion has committed is left in peace', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const end = Promise.withResolvers<void>()
  const completed = Promise.withResolvers<AbortSignal>()
  let looks = -1 // before its completion the row is there
  const { through } = await weakHandle(url, ({ query }) => {
    if (looks >= 0 && /^select .*array_position/.test(query.sql)) looks += 1
  })
  const complete: MailHandler = async (_job, { complete, signal }) => {
    await db.transaction().execute((trx) => complete(trx))
    looks = 0
    completed.resolve(signal)
    await end.promise
  }
  const { made, told } = worker(complete, { lease: '1s' }, through)
  await made.start()
  const signal = await completed.promise
  // its row is looked for, and is not there
  await expect.poll(() => looks > 1 || signal.aborted, { timeout: 10_000, interval: 5 }).toBe(true)
  expect(signal.aborted).toBe(false)
  const succeeded = next(made, 'succeeded')
  end.resolve()
  await succeeded
  expect(told).toEqual(['succeeded'])
})

test('a handler that throws after its completion has committed has succeeded', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { made, told } = worker(async (_job, { complete }) => {
    await db.transaction().execute((trx) => complete(trx))
    throw new Error('too late')
  })
  await untilIdle(made)
  expect(told).toEqual(['succeeded'])
  expect(await rows()).toEqual([])
})

test('a success that was cut off before it came to the server is written by the next try', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { proxy, through } = await weakHandle(url)
  const { made, told } = worker(() => {}, {}, through)
  const cut = proxy.cut('before', (statement) => statement.startsWith('delete'))
  await untilIdle(made)
  await cut
  expect(told).toEqual(['succeeded'])
  expect(await rows()).toEqual([])
})

test('after its lease, a row that is gone may be the deed of whoever took it over: a try of ours proves nothing', async () => {
  const settings = settingsOf({ succeeded: 'delete' })
  // the parts of a scope that are needed to look for known
  const scope = {
    worker: randomUUID(),
    settings,
    finished: {},
    jobs: jobsOf(db, 'mail_jobs'),
  } as unknown as WorkerScope
  const entry = (claimedAt: number) => {
    const attempt = new Attempt({ id: randomUUID(), attempts_count: 1, last_error: null }, claimedAt)
    attempt.tried()
    return { kind: 'succeeded', id: attempt.id, attempt: attempt.attempt, of: attempt } as const
  }
  const [held, over] = [entry(performance.now()), entry(performance.now() - settings.lease)]
  expect([...(await unwrittenOutcomes(scope, [held, over]))]).toEqual([[held, held]])
})

test('a row that another table holds fast holds up no other, and its retry says what refused it', async () => {
  await sql`create table notes (job_id uuid constraint held_fast references mail_jobs)`.execute(db)
  onTestFinished(() => sql`drop table notes`.execute(db).then(() => {}))
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'b', 'noted', 'c'].map((to) => ({ to })),
  )
  const { made } = worker(
    async ({ to, id }) => {
      if (to === 'noted') await sql`insert into notes values (${id})`.execute(db)
    },
    { lease: '1s' },
  )
  let succeeded = 0
  const others = next(made, 'succeeded', () => ++succeeded === 3)
  const told = next<{ error: Error }>(made, 'error')
  const retry = next<{ error: string }>(made, 'retry')
  await made.start()
  expect((await told).error.message).toContain('"held_fast" on table "notes"')
  await others
  expect((await retry).error).toMatch(
    /the deletion of its row was refused for 1000 ms\ncaused by .*"held_fast" on table "notes"/,
  )
  expect(await rows()).toMatchObject([{ to: 'noted', status: 'job_status_retry' }])
})

test('what a handler returns goes nowhere, also where it could not be stored', async () => {
  await sql`alter table mail_jobs add column result jsonb`.execute(db)
  onTestFinished(() => sql`alter table mail_jobs drop column result`.execute(db).then(() => {}))
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { made, told } = worker(() => 1n)
  await untilIdle(made)
  expect(told).toEqual(['succeeded'])
  expect(await rows()).toEqual([])
})
