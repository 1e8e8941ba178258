import type { ColumnType, Kysely } from 'kysely'
import { createBatchWorker, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { MailJobs } from '../../examples/db.js'
import { testDatabase } from '../support/database.js'
import { next, quiet } from './mail-jobs.js'

interface PageDatabase {
  page_jobs: Omit<MailJobs, 'to'> & { url: string; result: ColumnType<unknown, string | null, string | null> }
}

const { db } = await testDatabase<PageDatabase>((db: Kysely<any>) =>
  createJobTable(db, 'page_jobs', (table) => table.addColumn('url', 'text').addColumn('result', 'jsonb')),
)

beforeEach(() => db.deleteFrom('page_jobs').execute())

const rows = () => db.selectFrom('page_jobs').select(['url', 'status', 'result', 'last_error']).orderBy('url').execute()

/** Has `a` and `b` end once, as the results say. */
async function pages(hold: 'lease' | 'transaction', results: readonly unknown[]) {
  let calls = 0
  const handler = (jobs: readonly { url: string | null }[]) => {
    calls += 1
    return jobs.map(({ url }) => results[url === 'a' ? 0 : 1])
  }
  const options = { size: 10, hold, logger: quiet, pollInterval: '20ms' } as const
  const worker = createBatchWorker(db, 'page_jobs', handler, options)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  let left = 2
  const done = Promise.race(['succeeded', 'retry'].map((event) => next(worker, event, () => --left === 0)))
  await enqueue(db, 'page_jobs', [{ url: 'a' }, { url: 'b' }])
  await worker.start()
  await done
  await worker.stop()
  return { calls, rows: await rows() }
}

test.each(['lease', 'transaction'] as const)('each job keeps its own result, with hold: %s', async (hold) => {
  expect((await pages(hold, [{ words: 3 }, undefined])).rows).toMatchObject([
    { url: 'a', status: 'job_status_succeeded', result: { words: 3 } },
    { url: 'b', status: 'job_status_succeeded', result: null },
  ])
})

test.each(['lease', 'transaction'] as const)(
  'a result that can not be stored is an error of its own job, with hold: %s',
  async (hold) => {
    const error = expect.stringContaining('ResultError: The handler returned')
    const ended = await pages(hold, [{ words: 3 }, 1n])
    expect(ended.rows).toMatchObject([
      { status: 'job_status_succeeded', result: { words: 3 } },
      { status: 'job_status_retry', last_error: error },
    ])
    expect(ended.calls).toBe(hold === 'lease' ? 1 : 3) // in a transaction what was written for that job is undone
  },
)
