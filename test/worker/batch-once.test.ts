import { fork } from 'node:child_process'
import { once } from 'node:events'
import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import { createBatchWorker, enqueue } from 'kysely-jobs'
import { createJobArchive } from 'kysely-jobs/migrate'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import {
  batchWorker,
  enqueueTogether,
  type MailBatchHandler,
  type StartBatches,
  send,
  startNew,
  startTried,
} from './batching.js'
import { weakHandle } from './leaving.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

// What a batch writes in its transaction is there exactly once, whatever becomes of its process and its connections.

const { db, url } = await testDatabase<MailDatabase>(async (db) => {
  await createMailTables(db)
  await createJobArchive(db, 'mail_jobs')
})

beforeEach(async () => {
  await sql`truncate mail_jobs, mail_jobs_archive, sent`.execute(db)
})

const sending: MailBatchHandler<'transaction'> = (jobs, { trx }) => send(trx, jobs)
const sent = async () => (await db.selectFrom('sent').selectAll().execute()).length
const isCommit = (statement: string) => statement === 'commit'
const ends = ['keep', 'delete', 'archive'] as const

describe.each<[string, StartBatches]>([
  ['that follows their claim', startNew],
  ['that claims them', startTried],
])('in a transaction %s', (_, start) => {
  test.each(ends)('a commit whose answer is lost counts, and nothing runs again: %s', async (succeeded) => {
    const { proxy, through } = await weakHandle(url)
    const told: string[] = []
    const sendSome: MailBatchHandler<'transaction'> = async (jobs, context) => {
      await send(context.trx, jobs)
      return new Map(jobs.filter(({ to }) => to === 'c').map((job) => [job, new Error('away')]))
    }
    const { worker } = await start(through, sendSome, { succeeded, lease: '5s', backoff: () => '1h' })
    for (const event of ['succeeded', 'retry', 'lost'] as const) worker.on(event, () => told.push(event))
    const cut = proxy.cut('after', isCommit)
    let left = 2
    const done = next(worker, 'succeeded', () => --left === 0)
    const retried = next(worker, 'retry')
    await enqueueTogether(db, 'a', 'b', 'c')
    await Promise.all([cut, done, retried])
    await worker.stop()
    expect(told).toEqual(['succeeded', 'succeeded', 'retry'])
    expect(await sent()).toBe(3)
  })

  test.each(ends)('of a commit that never arrived nothing is there, and all runs again: %s', async (succeeded) => {
    const { proxy, through } = await weakHandle(url)
    const { worker } = await start(through, sending, { succeeded, lease: '5s', backoff: () => '10ms' })
    const cut = proxy.cut('before', isCommit)
    let left = 2
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await Promise.all([cut, done])
    await worker.stop()
    expect(await sent()).toBe(2)
  })
})

test('batches of processes that are killed again and again have written for each job once', {
  timeout: 60_000,
}, async () => {
  const jobs = 4_000
  await sql`insert into mail_jobs ("to") select 'many' from generate_series(1, ${sql.lit(jobs)})`.execute(db)
  for (const last of [3, 70, 90]) {
    const child = fork(new URL('mortal-batches.ts', import.meta.url), [url, String(last)])
    onTestFinished(() => void child.kill('SIGKILL'))
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  }
  const worker = batchWorker(db, sending, { size: 100, hold: 'transaction', lease: '1s' })
  await worker.start()
  await expect.poll(sent, { timeout: 30_000 }).toBe(jobs)
  await worker.stop()
  const { rows } = await sql`select status, count(*)::int as jobs from mail_jobs group by 1`.execute(db)
  expect(rows).toEqual([{ status: 'job_status_succeeded', jobs }])
  const twice = await sql`select job_id from sent group by 1 having count(*) > 1`.execute(db)
  expect(twice.rows).toEqual([])
})

test('many batches of several workers, of both kinds, do each job once', async () => {
  const errors: unknown[] = []
  let left = 6_000
  const done = Promise.withResolvers<void>()
  await sql`insert into mail_jobs ("to") select 'many' from generate_series(1, 6000)`.execute(db)
  const held = { size: 50, hold: 'transaction', concurrency: 2 } as const
  const workers = [batchWorker(db, sending, held), batchWorker(db, sending, { ...held, onError: 'bisect' })]
  for (const worker of workers) {
    worker.on('error', ({ error }) => errors.push(error))
    worker.on('succeeded', () => void (--left === 0 && done.resolve()))
    await worker.start()
  }
  await done.promise
  const counts = await sql`select status, attempts_count, count(*)::int from mail_jobs group by 1, 2`.execute(db)
  expect(counts.rows).toEqual([{ status: 'job_status_succeeded', attempts_count: 1, count: 6_000 }])
  expect(await sent()).toBe(6_000)
  expect(errors).toEqual([])
})

test('the transaction has the plugins of its handle', async () => {
  interface CamelMails {
    mailJobs: { [Column in keyof MailDatabase['mail_jobs'] as Camel<Column>]: MailDatabase['mail_jobs'][Column] }
    sent: { jobId: string; attempt: number }
  }
  type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}`
    ? `${First}${Capitalize<Camel<Rest>>}`
    : Name
  const pool = quietPool({ connectionString: url })
  const camel = new Kysely<CamelMails>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
  const worker = createBatchWorker(
    camel,
    'mailJobs',
    async (jobs, { trx }) => {
      await trx
        .insertInto('sent')
        .values(jobs.map(({ id, attemptsCount }) => ({ jobId: id, attempt: attemptsCount })))
        .execute()
    },
    { size: 5, hold: 'transaction', logger: quiet, pollInterval: '20ms' },
  )
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => camel.destroy()))
  await enqueue(camel, 'mailJobs', { to: 'ada' })
  const done = next(worker, 'succeeded')
  await worker.start()
  await done
  expect(await sent()).toBe(1)
})
