import type { Attributes } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { sql } from 'kysely'
import { createWorker, enqueue, type Handler, limitJobs, snooze, type WorkerOptions } from 'kysely-jobs'
import { createJobLimits } from 'kysely-jobs/migrate'
import { instrument } from 'kysely-jobs/otel'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from '../worker/mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(async (database) => {
  await createMailTables(database)
  await sql`alter table mail_jobs add column most integer default 2`.execute(database)
  await createJobLimits(database)
})

beforeEach(() => db.deleteFrom('mail_jobs').execute())

class Collected extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** A meter, and what it has at each collection. */
function measuring() {
  const reader = new Collected()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const points = async (name: string) => {
    const { resourceMetrics } = await reader.collect()
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
    return all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []
  }
  const values = async (name: string, of: (attributes: Attributes) => unknown = () => undefined) =>
    (await points(name)).map(({ attributes, value }) => [of(attributes), value])
  const counts = async (name: string, of: (attributes: Attributes) => unknown) =>
    (await points(name)).map(({ attributes, value }) => [of(attributes), (value as { count: number }).count]) // a histogram's
  return { meterProvider, values, counts }
}

type MailHandler = Handler<MailDatabase, 'mail_jobs'>

function worker(handler: MailHandler, options: WorkerOptions = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

/** Runs what is due, and stops. */
async function work(made: ReturnType<typeof worker>) {
  const idle = next(made, 'idle')
  await made.start()
  await idle
  await made.stop()
}

const errorType = (attributes: Attributes) => attributes['error.type']

test('metrics are those of the conventions, and ours of the queue', async () => {
  const { meterProvider, values, counts } = measuring()
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'busy' }])
  const made = worker(({ to }) => {
    if (to === 'busy') throw new RangeError('busy')
  })
  instrument([made], { meterProvider, db })
  await work(made)
  const outcome = (attributes: Attributes) => attributes['kysely_jobs.outcome']
  const operation = (attributes: Attributes) => attributes['messaging.operation.name']
  expect(await values('messaging.client.consumed.messages', operation)).toEqual([['receive', 3]])
  expect(await values('kysely_jobs.attempts', outcome)).toEqual(
    expect.arrayContaining([
      ['succeeded', 2],
      ['retry', 1],
      ['lost', 0],
    ]),
  )
  expect(await values('kysely_jobs.retrying')).toEqual([[undefined, 1]])
  expect(await values('kysely_jobs.oldest_due')).toEqual([[undefined, 0]])
  expect(await counts('messaging.process.duration', errorType)).toEqual(
    expect.arrayContaining([
      [undefined, 2],
      ['RangeError', 1],
    ]),
  )
  expect(await counts('kysely_jobs.wait', errorType)).toEqual([[undefined, 3]])
  expect((await counts('messaging.client.operation.duration', operation)).map(([name]) => name)).toEqual(
    expect.arrayContaining(['receive', 'settle']),
  )
})

test('each job is measured, however many there are between two collections', async () => {
  const { meterProvider, counts } = measuring()
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 1_000 }, () => ({ to: 'ada' })),
  )
  const made = worker(() => {}, { concurrency: 50 })
  instrument([made], { meterProvider })
  await work(made)
  for (const name of ['messaging.process.duration', 'kysely_jobs.wait'])
    expect(await counts(name, errorType)).toEqual([[undefined, 1_000]])
})

test('two workers of a table that are instrumented apart are counted together, and a counter never falls', async () => {
  const { meterProvider, values } = measuring()
  const [first, second] = [worker(() => {}), worker(() => {})]
  const { stop } = instrument([first], { meterProvider })
  const other = instrument([second], { meterProvider })
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'eve' }])
  await work(first)
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await work(second)
  for (const _ of [1, 2]) expect(await values('kysely_jobs.claimed')).toEqual([[undefined, 4]])
  stop()
  expect(await values('kysely_jobs.claimed')).toEqual([[undefined, 4]])
  other.stop()
  const third = worker(() => {})
  instrument([third], { meterProvider })
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await work(third)
  expect(await values('kysely_jobs.claimed')).toEqual([[undefined, 5]])
})

test('after stop() nothing is measured any more', async () => {
  const { meterProvider, counts } = measuring()
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  const made = worker(() => {})
  instrument([made], { meterProvider }).stop()
  await work(made)
  expect(await counts('messaging.process.duration', errorType)).toEqual([])
  expect(await counts('messaging.client.operation.duration', errorType)).toEqual([])
})

test('errors with a name each are a hundred types of errors, and others', async () => {
  const { meterProvider, counts } = measuring()
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 120 }, (_, n) => ({ to: `name${n}` })),
  )
  const made = worker(({ to }) => {
    throw Object.assign(new Error('no'), { name: to })
  })
  instrument([made], { meterProvider })
  await work(made)
  const counted = await counts('messaging.process.duration', errorType)
  expect(counted).toHaveLength(101)
  expect(counted).toContainEqual(['_OTHER', 20])
})

test('how far limits are used is told, by the limits of the worker and those that limitJobs has set', async () => {
  const limited = async (options: object) => {
    const { meterProvider, values } = measuring() // each with its own, as the SDK goes on to tell what is not observed any more
    const { stop } = instrument([worker(() => snooze('1h'), options)], { meterProvider, db })
    const told = [await values('kysely_jobs.limit_use'), await values('kysely_jobs.limits_full')]
    expect(await values('kysely_jobs.running')).toEqual([[undefined, 4]])
    stop()
    return told.flat().map(([, value]) => value)
  }
  const running = ['ada', 'ada', 'ada', 'bob'].map((to) => ({ to }))
  await enqueue(db, 'mail_jobs', running)
  await sql`update mail_jobs set status = 'job_status_running', locked_at = now(), locked_by = ${crypto.randomUUID()}, attempts_count = 1`.execute(
    db,
  )
  expect(await limited({})).toEqual([])
  expect(await limited({ limit: { by: 'to', max: 4 } })).toEqual([0.75, 0])
  expect(await limited({ limit: { by: 'to', max: 1 } })).toEqual([3, 2])
  expect(await limited({ limit: { max: 8 } })).toEqual([0.5, 0])
  expect(await limited({ limit: { by: 'to', max: 'most' } })).toEqual([1.5, 1])
  expect(await limited({ limit: { by: 'to', max: 'no_such_column' } })).toEqual([])
  await limitJobs(db, 'mail_jobs', { where: { to: 'bob' }, max: 1 })
  expect(await limited({ limit: { by: 'to', max: 4 } })).toEqual([1, 1])
  await limitJobs(db, 'mail_jobs', { max: 5 })
  expect(await limited({ limit: { max: 8 } })).toEqual([0.8, 0])
  await limitJobs(db, 'mail_jobs', { max: 0 })
  expect(await limited({ limit: { max: 8 } })).toEqual([1, 1])
})
