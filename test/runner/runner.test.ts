import type { Kysely } from 'kysely'
import { createRunner, createWorker, enqueue, FatalError } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from '../worker/mail-jobs.js'

interface Database extends MailDatabase {
  report_jobs: MailDatabase['mail_jobs']
}

const { db } = await testDatabase<Database>(async (database: Kysely<Database>) => {
  await createMailTables(database)
  await createJobTable(database, 'report_jobs', (table) => table.addColumn('to', 'text'))
})

test('a runner starts and stops all its workers, and tells how they are', async () => {
  const mail = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const reports = createWorker(db, 'report_jobs', async () => {}, { logger: quiet })
  const runner = createRunner(db, { workers: [mail, reports] })
  expect(runner.health().alive).toBe(false)
  const done = [next(mail, 'succeeded'), next(reports, 'succeeded')]
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await enqueue(db, 'report_jobs', { to: 'bob' })
  await runner.start()
  await Promise.all(done)
  expect(runner.health()).toMatchObject({
    alive: true,
    workers: [
      { table: 'mail_jobs', alive: true },
      { table: 'report_jobs', alive: true },
    ],
  })
  expect(await runner.stop()).toEqual({ left: 0 })
  expect(runner.health().workers.map(({ state }) => state)).toEqual(['stopped', 'stopped'])
})

test('where one worker can not start, the others are stopped again', async () => {
  const mail = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const wrong = createWorker(db, 'sent' as never, async () => {}, { logger: quiet })
  await expect(createRunner(db, { workers: [mail, wrong] }).start()).rejects.toMatchObject({ code: 'NOT_A_JOB_TABLE' })
  expect(mail.health().state).toBe('stopped')
})

test('a runner warns of workers of one table that have different limits', () => {
  const told: string[] = []
  const logger = { ...quiet, warn: (_: object, text: string) => void told.push(text) }
  const worker = (options: object, table: 'mail_jobs' | 'report_jobs' = 'mail_jobs') =>
    createWorker(db, table, () => {}, options)
  const limit = { by: 'to', max: 2 }
  createRunner(db, { workers: [worker({ limit }), worker({ limit, fairBy: 'to' }), worker({}, 'report_jobs')], logger })
  createRunner(db, { workers: [worker({}), worker({ concurrency: 2 })], logger })
  expect(told).toEqual([])
  const rate = { max: 5, per: '1m' }
  createRunner(db, { workers: [worker({ limit, rate }), worker({ fifo: 'to' }), worker({})], logger })
  expect(told).toEqual([
    'workers of mail_jobs have different limits (limit: {"by":"to","max":2}, rate: {"max":5,"per":60000,"burst":5}; fifo: "to", onFailure: "continue"; none), and each claims by its own, so that none of them holds: give all workers of a table the same limit, rate and fifo',
  ])
})

test('a runner without workers, with a worker of another database, a wrong deadline or no such option is refused', async () => {
  expect(() => createRunner(db, { workers: [] })).toThrow('give at least one worker')
  await using other = await createTestDatabase<MailDatabase>()
  const stranger = createWorker(other.db, 'mail_jobs', async () => {})
  expect(() => createRunner(db, { workers: [stranger] })).toThrow(
    'the worker of mail_jobs was created with another Kysely',
  )
  const mail = createWorker(db, 'mail_jobs', async () => {})
  expect(() => createRunner(db, { workers: [mail], deadline: 'soon' as never })).toThrow(
    'deadline: "soon" is not a duration',
  )
  const misspelt = { workers: [mail], dedline: '3s' }
  expect(() => createRunner(db, misspelt)).toThrow(
    'dedline: no such option; there are workers, schedules, undeclared, history, deadline, logger',
  )
})

test('no signal is listened to unless run() is called', async () => {
  const before = process.listenerCount('SIGTERM')
  const runner = createRunner(db, { workers: [createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })] })
  await runner.start()
  expect(process.listenerCount('SIGTERM')).toBe(before)
  await runner.stop()
})

test('run() ends when somebody stops the runner', async () => {
  const runner = createRunner(db, { workers: [createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })] })
  const running = runner.run()
  await expect.poll(() => runner.health().alive).toBe(true)
  await runner.stop()
  await running
})

test('run() keeps to the deadline of whoever stops the runner', async () => {
  const held = Promise.withResolvers<void>()
  const mail = createWorker(db, 'mail_jobs', () => held.promise, { logger: quiet })
  const runner = createRunner(db, { workers: [mail] })
  const running = runner.run()
  const claimed = next(mail, 'claimed')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await claimed
  let deadlines: unknown[] = []
  const stop = mail.stop.bind(mail)
  mail.stop = (options) => {
    deadlines = [...deadlines, options?.deadline]
    return stop(options)
  }
  const stopping = runner.stop({ deadline: '1h' })
  held.resolve()
  expect(await stopping).toEqual({ left: 0 })
  await running
  expect(deadlines).toEqual(['1h'])
})

test('a runner tells what all its workers do, and of which table', async () => {
  const fails = () => Promise.reject(new FatalError('on purpose'))
  const mail = createWorker(db, 'mail_jobs', fails, { logger: quiet })
  const reports = createWorker(db, 'report_jobs', fails, { logger: quiet })
  const runner = createRunner(db, { workers: [mail, reports] })
  const failed: string[] = []
  runner.on('failed', ({ table, error, attempt }) => failed.push(`${table} ${attempt} ${error.split('\n')[0]}`))
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await enqueue(db, 'report_jobs', { to: 'bob' })
  await runner.start()
  await expect
    .poll(() => failed.toSorted())
    .toEqual(['mail_jobs 1 FatalError: on purpose', 'report_jobs 1 FatalError: on purpose'])
  await runner.stop()
})
