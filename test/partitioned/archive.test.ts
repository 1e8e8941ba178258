import { countJobs, createWorker, retryJobs } from 'kysely-jobs'
import { createJobArchive } from 'kysely-jobs/migrate'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { allShapes, createPartitioned, insertJobs, statuses, untouched } from './shapes.js'

const { db } = await testDatabase()
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test.each(allShapes)('jobs of one id go to the archive (%s), and the one that is meant comes back', async (shape) => {
  await createPartitioned(db, shape)
  await createJobArchive(db, shape)
  await insertJobs(db, shape)
  const handler = (job: any) => {
    if (job.note === 'bad') throw new Error('bad')
  }
  const options = { logger: quiet, maxAttempts: 1, finished: 'archive' } as const
  const worker = createWorker(db, shape, handler, options)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await expect.poll(() => statuses(db, shape)).toEqual(untouched)
  await worker.stop()
  const archived = db.selectFrom(`${shape}_archive`).select(['note', 'status']).orderBy('note')
  expect(await archived.execute()).toEqual([
    { note: 'bad', status: 'job_status_failed' },
    { note: 'good', status: 'job_status_succeeded' },
  ])
  expect((await countJobs(db, shape, { exact: true })).statuses).toMatchObject({
    ...{ job_status_succeeded: 2, job_status_failed: 1, job_status_not_started: 1 },
  })
  expect(await retryJobs(db, shape, { where: (eb: any) => eb('note', '=', 'bad') })).toHaveLength(1)
  expect(await statuses(db, shape)).toEqual({ ...untouched, bad: 'not_started' })
  expect(await archived.execute()).toHaveLength(1)
})
