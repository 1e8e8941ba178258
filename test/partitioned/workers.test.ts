import { type Kysely, sql } from 'kysely'
import {
  cancelJobs,
  createBatchWorker,
  createWorker,
  deleteJobs,
  pauseJobs,
  rescheduleJobs,
  resumeJobs,
} from 'kysely-jobs'
import { createJobPauses, createKeyIndexes } from 'kysely-jobs/migrate'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { allShapes, createPartitioned, insertJobs, manyOfOneId, type Shape, statuses, untouched } from './shapes.js'

const { db } = await testDatabase(async (handle) => {
  await createJobPauses(handle)
  for (const shape of allShapes) {
    await createPartitioned(handle, shape)
    await createKeyIndexes(handle, shape, ['tenant'], { fifo: 'block' })
  }
})

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The database of a test, whatever its tables are. */
type Handle = Kysely<any>

const good = (job: any) => {
  if (job.note === 'bad') throw new Error('bad')
}
const options = { logger: quiet, maxAttempts: 1, pollInterval: '20ms' } as const
const outcomes = (all: readonly any[]) => all.map((job) => (job.note === 'bad' ? new Error('bad') : undefined))

/** In which ways a worker may run jobs. */
const ways = {
  'by leases': (handle: Handle, shape: Shape) => createWorker(handle, shape, good, options),
  'by a transaction': (handle, shape) => createWorker(handle, shape, good, { ...options, hold: 'transaction' }),
  'in batches': (handle, shape) => createBatchWorker(handle, shape, outcomes, { ...options, size: 10 }),
  'in batches by a transaction': (handle, shape) =>
    createBatchWorker(handle, shape, outcomes, { ...options, size: 10, hold: 'transaction' }),
  'by halves': (handle, shape) => {
    const handler = (all: readonly any[]) => all.forEach(good)
    const halving = { size: 10, hold: 'transaction', onError: 'bisect' } as const
    return createBatchWorker(handle, shape, handler, { ...options, ...halving })
  },
  'with complete(trx)': (handle, shape) =>
    createWorker(
      handle,
      shape,
      async (job, { complete }) => {
        good(job)
        await handle.transaction().execute((trx) => complete(trx))
      },
      options,
    ),
  'with context.hold': (handle, shape) =>
    createWorker(
      handle,
      shape,
      async (job, { complete, hold }) => {
        good(job)
        await handle
          .transaction()
          .setIsolationLevel('repeatable read')
          .execute(async (trx) => {
            await hold(trx)
            await complete(trx)
          })
      },
      options,
    ),
  'by priority and its aging': (handle, shape) =>
    createWorker(handle, shape, good, { ...options, priorityAging: '1m' }),
  'with a limit of each tenant': (handle, shape) =>
    createWorker(handle, shape, good, { ...options, limit: { by: 'tenant', max: 1 } }),
  'in the order of each tenant': (handle, shape) => createWorker(handle, shape, good, { ...options, fifo: 'tenant' }),
  'fairly by tenants': (handle, shape) => createWorker(handle, shape, good, { ...options, fairBy: 'tenant' }),
} satisfies Record<string, (handle: Handle, shape: Shape) => ReturnType<typeof createWorker>>

beforeEach(async () => {
  await sql`delete from job_pauses`.execute(db)
})

describe.each(allShapes)('%s', (shape) => {
  test.each(Object.keys(ways) as (keyof typeof ways)[])(
    'each job has its own end and no other is touched, worked %s',
    async (way) => {
      await insertJobs(db, shape)
      const worker = ways[way](db, shape)
      onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
      const errors: unknown[] = []
      worker.on('error', ({ error }) => errors.push(error))
      await worker.start()
      await expect.poll(() => statuses(db, shape)).toEqual({ ...untouched, good: 'succeeded', bad: 'failed' })
      await worker.stop()
      expect(errors).toEqual([])
      const rows = await db.selectFrom(shape).select(['note', 'attempts_count', 'locked_by', 'last_error']).execute()
      expect(Object.fromEntries(rows.map((row) => [row.note, row.attempts_count]))).toEqual({
        ...{ good: 1, bad: 1, ended: 0, tomorrow: 0 },
      })
      expect(rows.filter(({ last_error: error }) => error !== null).map(({ note }) => note)).toEqual(['bad'])
    },
  )

  test('what succeeds is deleted, and nothing else', async () => {
    await insertJobs(db, shape)
    const worker = createWorker(db, shape, good, { ...options, succeeded: 'delete' })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
    await expect.poll(() => statuses(db, shape)).toEqual({ ...untouched, bad: 'failed' })
  })

  test('a tenant that is paused waits, and is resumed', async () => {
    await insertJobs(db, shape)
    await pauseJobs(db, shape, { where: { tenant: 'bob' } })
    const worker = createWorker(db, shape, good, options)
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const idle = new Promise((resolve) => worker.once('idle', resolve))
    await worker.start()
    await idle
    expect(await statuses(db, shape)).toEqual({ ...untouched, good: 'succeeded', bad: 'not_started' })
    await resumeJobs(db, shape, { where: { tenant: 'bob' } })
    await expect.poll(() => statuses(db, shape)).toEqual({ ...untouched, good: 'succeeded', bad: 'failed' })
  })

  test('a running job that is cancelled, alone, stops its handler', async () => {
    await insertJobs(db, shape)
    const worker = createWorker(
      db,
      shape,
      (job, { signal }) =>
        job.note === 'good'
          ? new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          : undefined,
      options,
    )
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
    await expect.poll(() => statuses(db, shape)).toEqual({ ...untouched, good: 'running', bad: 'succeeded' })
    const cancelled = new Promise((resolve) => worker.once('cancelled', resolve))
    await cancelJobs(db, shape, { where: (eb) => eb('note', '=', 'good') })
    await cancelled
    expect(await statuses(db, shape)).toEqual({ ...untouched, good: 'cancelled', bad: 'succeeded' })
  })
})

test.each(manyOfOneId)('of jobs with one id (%s) people put off and delete the one that they mean', async (shape) => {
  await insertJobs(db, shape)
  const called = (note: string) => ({ where: (eb: any) => eb('note', '=', note) })
  expect(await rescheduleJobs(db, shape, called('bad'), { to: '2600-01-01' as never })).toHaveLength(1)
  const { rows } = await sql<{ note: string }>`
    select note from ${sql.table(shape)} where run_at = '2600-01-01' order by 1`.execute(db)
  expect(rows).toEqual([{ note: 'bad' }])
  expect(await deleteJobs(db, shape, called('good'))).toHaveLength(1)
  expect(await statuses(db, shape)).toEqual({ ...untouched, bad: 'not_started' })
})
