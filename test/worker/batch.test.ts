import { setTimeout as sleep } from 'node:timers/promises'
import { cancel, cancelJobs, createBatchWorker, enqueue, FatalError, retryIn, snooze } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { batchWorker, enqueueTogether, type MailBatchHandler } from './batching.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()
const statuses = async () =>
  Object.fromEntries((await rows()).map(({ to, status }) => [to, status.replace('job_status_', '')]))
const names = (count: number) => Array.from({ length: count }, (_, place) => `job ${place}`)

/** Runs jobs until each has ended once. */
async function handled(handler: MailBatchHandler, ...jobs: readonly string[]) {
  const worker = batchWorker(db, handler)
  const seen = new Set<string>()
  const ended = Promise.withResolvers<void>()
  const saw = ({ job }: { job: { to: string } }) => {
    if (seen.add(job.to).size === jobs.length) ended.resolve()
  }
  for (const event of ['succeeded', 'retry', 'failed', 'snoozed', 'cancelled'] as const) worker.on(event, saw)
  await enqueueTogether(db, ...jobs)
  await worker.start()
  await ended.promise
  await worker.stop()
  return rows()
}

test('a handler gets as many jobs as are due, up to its size, in their order, and none while it is at work', async () => {
  const batches: string[][] = []
  let running = 0
  const worker = batchWorker(db, async (jobs) => {
    expect(++running).toBe(1)
    batches.push(jobs.map(({ to }) => to))
    await sleep(0)
    running -= 1
  })
  await enqueueTogether(db, ...names(10))
  let left = 10
  const done = next(worker, 'succeeded', () => --left === 0)
  await worker.start()
  await done
  // the first fetch brings few, as nobody knows yet how large jobs are
  expect(batches.flat()).toEqual(names(10))
  expect(batches.every(({ length }) => length <= 10)).toBe(true)
  batches.length = 0
  left = 25
  const more = next(worker, 'succeeded', () => --left === 0)
  await enqueueTogether(db, ...names(25))
  await more
  expect(batches.flat()).toEqual(names(25))
  expect(batches.map(({ length }) => length)).toContain(10)
  expect(batches.every(({ length }) => length <= 10)).toBe(true)
})

test('as many batches run at once as are asked for', async () => {
  const both = Promise.withResolvers<void>()
  let running = 0
  const worker = batchWorker(
    db,
    async () => {
      if (++running === 2) both.resolve()
      await both.promise
    },
    { size: 4, concurrency: 2 },
  )
  await enqueueTogether(db, ...names(8))
  await worker.start()
  await both.promise
  await expect.poll(statuses).toEqual(Object.fromEntries(names(8).map((to) => [to, 'succeeded'])))
})

test('a handler that returns nothing has done all its jobs', async () => {
  const done = await handled(() => {}, 'a', 'b')
  expect(done).toMatchObject([
    { status: 'job_status_succeeded', attempts_count: 1, locked_by: null },
    { status: 'job_status_succeeded', attempts_count: 1, locked_by: null },
  ])
})

const outcomes = [
  undefined,
  new Error('no such address'),
  new FatalError('never'),
  snooze('5m'),
  retryIn('1h'),
  cancel('gone'),
]
const asToldInRows = [
  { to: 'a', status: 'job_status_succeeded', last_error: null },
  { to: 'b', status: 'job_status_retry', last_error: expect.stringMatching(/^Error: no such address/) },
  { to: 'c', status: 'job_status_failed', last_error: expect.stringMatching(/^FatalError: never/) },
  { to: 'd', status: 'job_status_not_started', last_error: null },
  { to: 'e', status: 'job_status_retry' },
  { to: 'f', status: 'job_status_cancelled', last_error: 'Cancelled: gone' },
]
const sixJobs = ['a', 'b', 'c', 'd', 'e', 'f']

test.each<[string, MailBatchHandler]>([
  ['an array, in their order', (jobs) => jobs.map((_, place) => outcomes[place])],
  [
    'a map from jobs, where those that it lacks have succeeded',
    (jobs) => new Map(jobs.slice(1).map((job, place) => [job, outcomes[place + 1]])),
  ],
  ['a map from ids', (jobs) => new Map(jobs.map(({ id }, place) => [id, outcomes[place]]))],
  [
    'what Promise.allSettled gives',
    (jobs) =>
      Promise.allSettled(
        jobs.map(async (_, place) => {
          const outcome = outcomes[place]
          if (outcome instanceof Error) throw outcome
          return outcome
        }),
      ),
  ],
])('each job ends as it is said: by %s', async (_, handler) => {
  expect(await handled(handler, ...sixJobs)).toMatchObject(asToldInRows)
})

test('what a handler throws is of all its jobs', async () => {
  const error = expect.stringMatching(/^Error: the service is away/)
  const retried = { status: 'job_status_retry', attempts_count: 1, last_error: error }
  expect(await handled(() => Promise.reject(new Error('the service is away')), 'a', 'b')).toMatchObject([
    retried,
    retried,
  ])
  await db.deleteFrom('mail_jobs').execute()
  const failed = { status: 'job_status_failed', last_error: expect.stringMatching(/^FatalError: never/) }
  const never = () => {
    throw new FatalError('never')
  }
  expect(await handled(never, 'a', 'b')).toMatchObject([failed, failed])
})

test('one outcome is that of all its jobs', async () => {
  const cancelled = { status: 'job_status_cancelled', last_error: 'Cancelled: the shop is closed' }
  expect(await handled(() => cancel('the shop is closed'), 'a', 'b')).toMatchObject([cancelled, cancelled])
})

test.each<[string, unknown, RegExp]>([
  ['a text', 'done', /returned 'done'; return nothing where all jobs have succeeded/],
  ['an object', { a: 1 }, /returned .*a: 1.*; return nothing/],
  ['fewer outcomes than jobs', [undefined], /returned 1 of 2 outcomes; return one for each job, in their order/],
  ['more outcomes than jobs', [1, 2, 3], /returned 3 of 2 outcomes/],
  [
    'the outcome of a job of another batch',
    new Map([['7b0e', undefined]]),
    /returned an outcome for '7b0e', which is no job of its batch/,
  ],
])('%s tells no outcomes: it is an error of all the jobs, which says what to return', async (_, returned, says) => {
  const error = expect.stringMatching(new RegExp(`^BatchResultError: A batch handler ${says.source}`))
  const retried = { status: 'job_status_retry', last_error: error }
  // what the compiler refuses
  expect(await handled(() => returned as undefined, 'a', 'b')).toMatchObject([retried, retried])
})

test('an outcome that is none is an error of its own job', async () => {
  const strange = new Proxy(
    {},
    {
      get: () => {
        throw new Error('do not touch')
      },
    },
  )
  const handler: MailBatchHandler = (jobs) => jobs.map(({ to }) => (to === 'a' ? retryIn('soon' as '1s') : undefined))
  await expect(handled(handler, 'a', 'b')).resolves.toMatchObject([
    { status: 'job_status_retry', last_error: expect.stringContaining('soon') },
    { status: 'job_status_retry' }, // retryIn throws, and so does the handler
  ])
  await db.deleteFrom('mail_jobs').execute()
  const hostile = (jobs: readonly object[]) =>
    jobs.map((_, place) => (place === 0 ? strange : undefined)) as undefined[]
  expect((await handled(hostile, 'a', 'b')).map(({ attempts_count }) => attempts_count)).toEqual([1, 1])
})

test('a batch that takes longer than its timeout is aborted, and its jobs have timed out', async () => {
  const reasons: unknown[] = []
  const worker = batchWorker(
    db,
    (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason.code)
          reject(signal.reason)
        })
      }),
    { timeout: '50ms', maxAttempts: 1 },
  )
  await enqueueTogether(db, 'a', 'b')
  await worker.start()
  await expect.poll(statuses).toEqual({ a: 'timed_out', b: 'timed_out' })
  expect(reasons).toEqual(['TIMEOUT'])
})

test('a job that is cancelled while its batch runs stays so, and the signal aborts only when all are', async () => {
  const begun = Promise.withResolvers<AbortSignal>()
  const go = Promise.withResolvers<void>()
  const worker = batchWorker(
    db,
    async (_, { signal }) => {
      begun.resolve(signal)
      await go.promise
    },
    { listen: url },
  )
  const listening = next(worker, 'listener', ({ state }: { state: string }) => state === 'listening')
  await enqueueTogether(db, 'a', 'b')
  await worker.start()
  await listening
  const signal = await begun.promise
  const [a, b] = await rows()
  const lost = next<{ job: { to: string } }>(worker, 'cancelled', ({ job }) => job.to === 'a')
  await cancelJobs(db, 'mail_jobs', { ids: [a?.id ?? ''] })
  await lost
  expect(signal.aborted).toBe(false)
  const lostToo = next<{ job: { to: string } }>(worker, 'cancelled', ({ job }) => job.to === 'b')
  await cancelJobs(db, 'mail_jobs', { ids: [b?.id ?? ''] })
  await lostToo
  expect(signal.reason).toMatchObject({ code: 'CANCELLED' })
  go.resolve()
  await worker.stop()
  expect(await statuses()).toEqual({ a: 'cancelled', b: 'cancelled' })
})

test('a batch whose handler is still at work at the deadline of a stop is aborted, and its jobs are handed back', async () => {
  const begun = Promise.withResolvers<void>()
  const worker = batchWorker(db, (_, { signal }) => {
    begun.resolve()
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await enqueueTogether(db, 'a', 'b')
  await worker.start()
  await begun.promise
  await worker.stop({ deadline: 0 })
  expect(await rows()).toMatchObject([
    { status: 'job_status_not_started', attempts_count: 0, locked_by: null },
    { status: 'job_status_not_started', attempts_count: 0, locked_by: null },
  ])
})

test('a handler gets the columns that were selected, and the events of each job have them too', async () => {
  const seen: object[] = []
  const worker = createBatchWorker(db, 'mail_jobs', (jobs) => void seen.push(...jobs), {
    size: 5,
    select: ['to'],
    logger: quiet,
    pollInterval: '20ms',
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const done = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await worker.start()
  await done
  const [job] = await rows()
  expect(seen).toEqual([{ id: job?.id, attempts_count: 1, to: 'ada' }])
})
