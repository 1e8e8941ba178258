import { sql } from 'kysely'
import { createBatchWorker, createWorker, enqueue, type WorkerOptions } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('name', 'text'), { columns: ['priority'] })
  await createJobTable(db, 'plain_jobs', (table) => table.addColumn('name', 'text'))
})

beforeEach(() => sql`truncate mail_jobs`.execute(db))

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Four priorities, which overtake each other every 10 minutes; in the middle between two steps. */
async function fill() {
  await sql`insert into mail_jobs (name, priority, run_at)
    select n, n % 4, now() - n * interval '1 minute' - interval '30 seconds' from generate_series(0, 59) n`.execute(db)
  const jobs = Array.from({ length: 60 }, (_, n) => ({ name: `${n}`, level: (n % 4) + Math.floor((n + 0.5) / 10), n }))
  return jobs.sort((a, b) => b.level - a.level || b.n - a.n).map(({ name }) => name)
}

/** The names of what one worker is given, one job after the other, until it has had so many. */
async function handled(
  count: number,
  options: WorkerOptions<any, any> & { priorityAging: '10m'; limit?: { max: number } },
) {
  const names: string[] = []
  const all = Promise.withResolvers<void>()
  const handler = ({ name }: any) => {
    names.push(name)
    if (names.length === count) all.resolve()
  }
  const worker = createWorker(db, 'mail_jobs', handler, { concurrency: 1, logger: quiet, ...options })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await all.promise
  return names
}

test.each([
  ['by leases', {}],
  ['of some columns', { select: ['name'] }],
  ['in transactions', { hold: 'transaction' as const }],
  ['with a limit of all', { limit: { max: 3 } }],
  ['with seedBackoff', { seedBackoff: true }],
])('a worker is given jobs by the level that they have reached: %s', async (_, options) => {
  const wanted = await fill()
  expect(await handled(60, { priorityAging: '10m', ...options })).toEqual(wanted)
})

test('batches have them in that order too', async () => {
  const wanted = await fill()
  const names: string[] = []
  const all = Promise.withResolvers<void>()
  const handler = (jobs: readonly any[]) => {
    names.push(...jobs.map(({ name }) => name))
    if (names.length === 60) all.resolve()
  }
  const worker = createBatchWorker(db, 'mail_jobs', handler, { size: 8, priorityAging: '10m', logger: quiet })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await all.promise
  expect(names).toEqual(wanted)
})

test.each([
  ['with', { priorityAging: '10m' as const }, true],
  ['without', {}, false],
])(
  'while urgent jobs keep coming, a low one that has waited long enough is done only %s aging',
  async (_, aging, isDone) => {
    await sql`insert into mail_jobs (name, priority, run_at) values ('low', 0, now() - interval '51 minutes')`.execute(
      db,
    )
    await enqueue(
      db,
      'mail_jobs',
      Array.from({ length: 50 }, () => ({ name: 'urgent', priority: 5 })), // more than are claimed ahead
    )
    const names: string[] = []
    const all = Promise.withResolvers<void>()
    const handler = async ({ name }: any) => {
      await enqueue(db, 'mail_jobs', { name: 'urgent', priority: 5 }) // before this one ends
      names.push(name)
      if (names.length === 30) all.resolve()
    }
    const worker = createWorker(db, 'mail_jobs', handler, { concurrency: 1, logger: quiet, pollInterval: 20, ...aging })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
    await all.promise
    expect(names.includes('low')).toBe(isDone)
  },
)

test('a table without priority is refused at the start, with the remedy', async () => {
  const worker = createWorker(db, 'plain_jobs', () => {}, { priorityAging: '10m', logger: quiet })
  await expect(worker.start()).rejects.toThrow(
    "priorityAging: plain_jobs has no column 'priority'; let a migration call addJobColumns(db, 'plain_jobs', { columns: ['priority'] }) and createJobIndexes(db, 'plain_jobs'), or leave the option out",
  )
})

test.each([
  [{ priorityAging: 0 }, 'priorityAging: 0 is invalid; give more than 0'],
  [{ priorityAging: -1 }, 'priorityAging: -1 is not a duration'],
  [{ priorityAging: Number.POSITIVE_INFINITY }, 'priorityAging: Infinity is not a duration'],
  [{ priorityAging: '10 minutes' }, 'priorityAging: "10 minutes" is not a duration'],
  [
    { priorityAging: '10m', fifo: 'name' },
    'priorityAging does not go with fifo, fairBy, limit.by or rate.by: who goes',
  ],
  [{ priorityAging: '10m', fairBy: 'name' }, 'priorityAging does not go with'],
  [{ priorityAging: '10m', limit: { by: 'name', max: 2 } }, 'priorityAging does not go with'],
])('%o is refused when the worker is created', (options, text) => {
  expect(() => createWorker(db, 'mail_jobs', () => {}, options as object)).toThrow(text)
  expect(() => createBatchWorker(db, 'mail_jobs', () => {}, { size: 2, ...(options as object) })).toThrow(text)
})
