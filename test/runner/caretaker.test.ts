import { sql } from 'kysely'
import { createRunner, createWorker, enqueue, type WorkerEvents } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, onTestFinished, test } from 'vitest'
import { Caretaker } from '../../src/runner/caretaker.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase((db) =>
  createJobTable(db, 'jobs', (table) => table.addColumn('to', 'text'), { archive: {} }),
)
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A runner with one worker, started, and what it tells of the archive and of errors. */
async function running(options: object = {}, logger: object = quiet) {
  const worker = createWorker(db, 'jobs', () => {}, { logger: { ...quiet, ...logger }, ...options })
  const runner = createRunner(db, { workers: [worker] })
  onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
  const told: WorkerEvents<object>['archive'][0][] = []
  runner.on('archive', ({ table, ...kept }) => told.push(kept))
  await runner.start()
  return { runner, worker, told }
}

const newest = async () => {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits join pg_class c on c.oid = inhrelid
    where inhparent = 'jobs_archive'::regclass and c.relname ~ '[0-9]$' order by 1 desc`.execute(db)
  return rows.map(({ name }) => name)
}

test('a runner makes partitions that are missing, drops old ones, and tells it; of two one does', async () => {
  const [last] = await newest()
  await sql.raw(`drop table ${last}, jobs_archive_before`).execute(db)
  await sql`create table old partition of jobs_archive for values from ('2020-01-01') to ('2020-01-02')`.execute(db)
  const runners = await Promise.all([running(), running({ succeeded: 'archive' })])
  const told = () => runners.flatMap((each) => each.told)
  await expect.poll(() => told().length).toBeGreaterThan(0)
  await Promise.all(runners.map(({ worker }) => worker.keepArchive()))
  expect(told()).toEqual([{ made: [last], dropped: ['old'], misplaced: 0, moved: 0 }])
})

test('jobs that have no partition are warned of', async () => {
  for (const name of await newest()) await sql.raw(`drop table ${name}`).execute(db)
  await sql`insert into jobs_archive (id, created_at, updated_at, status, attempts_count, run_at)
    select gen_random_uuid(), now(), now(), 'job_status_succeeded', 1, now() from generate_series(1, 10001)`.execute(db)
  const warned: string[] = []
  const { told } = await running({}, { warn: (_facts: object, text: string) => warned.push(text) })
  await expect.poll(() => told).toMatchObject([{ misplaced: 10_001 }])
  expect(warned).toContainEqual(expect.stringContaining('jobs ended when the archive had no partition for them'))
  await sql`truncate jobs_archive`.execute(db)
})

test('what ended by other hands goes to the archive as well: a rescue, a cancel, or before there was one', async () => {
  await enqueue(
    db,
    'jobs',
    ['failed', 'cancelled', 'succeeded', 'just'].map((to) => ({ to })),
  )
  await sql`update jobs set status = ('job_status_' || case "to" when 'just' then 'failed' else "to" end)::job_status,
    updated_at = now() - case "to" when 'just' then interval '0' else interval '1 hour' end`.execute(db)
  const { worker, told } = await running({ succeeded: 'keep', finished: 'archive' })
  await worker.keepArchive()
  await expect.poll(() => told.reduce((sum, { moved }) => sum + moved, 0)).toBe(2)
  const { rows } = await sql`select "to" from jobs_archive order by 1`.execute(db)
  expect(rows).toEqual([{ to: 'cancelled' }, { to: 'failed' }])
})

test('a table without an archive, or a worker that never started, is nothing to keep', async () => {
  await createJobTable(db, 'plain_jobs')
  const worker = createWorker(db, 'plain_jobs', () => {}, { logger: quiet })
  expect(await worker.keepArchive()).toBe(false)
  await worker.start()
  expect(await worker.keepArchive()).toBe(false)
  await worker.stop()
})

test('a caretaker looks after each worker, once however often it is started, and stops with the round that is under way', async () => {
  const looked: string[] = []
  const held = Promise.withResolvers<boolean>()
  const kept = (table: string, more: Promise<boolean> | false = false) => ({
    table,
    keepArchive: async () => {
      looked.push(table)
      return more
    },
  })
  const caretaker = new Caretaker([kept('a'), { table: 'd' }, kept('a'), kept('b', held.promise), kept('c')])
  caretaker.start()
  caretaker.start()
  await expect.poll(() => looked).toEqual(['a', 'a', 'b'])
  const stopped = caretaker.stop()
  held.resolve(true)
  await stopped
  expect(looked).toEqual(['a', 'a', 'b'])
})

test('a runner that is stopped while jobs are moved waits for those that are on their way, and moves no more', async () => {
  await sql`truncate jobs`.execute(db)
  await sql`insert into jobs ("to", status, updated_at)
    select 'old', 'job_status_failed', now() - interval '1 hour' from generate_series(1, 3000)`.execute(db)
  const left = async () => (await sql`select from jobs where "to" = 'old'`.execute(db)).rows.length
  const worker = createWorker(db, 'jobs', () => {}, { logger: quiet, finished: 'archive' })
  const runner = createRunner(db, { workers: [worker] })
  const errors: unknown[] = []
  runner.on('error', ({ error }) => errors.push(error))
  await db.transaction().execute(async (trx) => {
    await sql`lock table jobs in share mode`.execute(trx) // nothing is moved
    await runner.start()
    const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and query like '%insert into%jobs_archive%'` // whatever else waits: the worker's fetch, or its rescue
    await expect.poll(async () => (await waiting.execute(db)).rows.length, { timeout: 20_000 }).toBe(1)
    void runner.stop()
  })
  await runner.stop()
  expect(await left()).toBe(2000)
  expect(errors).toEqual([])
  await sql`truncate jobs, jobs_archive`.execute(db)
})
