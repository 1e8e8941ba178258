import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { next, quiet } from '../worker/mail-jobs.js'
import { spreadDatabase } from './spread.js'
import { type Handler, notes, type Options, startWorker } from './workers.js'

// Workers of a table that is distributed by a column, where the server refuses what Citus refuses.

const { db, plain, refused } = await spreadDatabase()

beforeEach(() => plain.deleteFrom('mail_jobs').execute())

const working = (handler: Handler, options?: Options) => startWorker(db, handler, options)

test('each job of each tenant runs once, whichever worker claims it', async () => {
  const jobs = Array.from({ length: 20 }, (_, tenant) => notes(tenant, 15)).flat()
  await enqueue(db, 'mail_jobs', jobs)
  const ran: string[] = []
  const started = await Promise.all(
    [1, 2, 3].map(() => working(async ({ note }) => void ran.push(note), { concurrency: 10 })),
  )
  await Promise.all(started.map(({ idle }) => idle))
  expect(ran.toSorted()).toEqual(jobs.map(({ note }) => note).toSorted())
  expect(started.flatMap(({ errors }) => errors)).toEqual([])
  expect(refused).toEqual([])
})

test('tenants with many jobs keep none waiting that has few', async () => {
  await enqueue(db, 'mail_jobs', Array.from({ length: 8 }, (_, tenant) => notes(tenant, 45)).flat())
  await enqueue(db, 'mail_jobs', notes(8, 3))
  const ran: number[] = []
  const handler = async ({ tenant_id }: { tenant_id: number }) => {
    ran.push(tenant_id)
    await new Promise((resolve) => setTimeout(resolve, 3)) // so that few are claimed ahead
  }
  const { idle } = await working(handler, { concurrency: 4 })
  await idle
  expect(ran).toHaveLength(363)
  expect(new Set(ran.slice(0, 200)).size).toBe(9)
})

test('what is retried, timed out and completed in a transaction ends as on one server', async () => {
  await enqueue(db, 'mail_jobs', [
    { tenant_id: 1, note: 'fails once' },
    { tenant_id: 2, note: 'completes' },
    { tenant_id: 3, note: 'times out' },
  ])
  const { worker, errors } = await working(
    async ({ note }, { attempt, complete, signal }) => {
      if (note === 'fails once' && attempt === 1) throw new Error('no')
      if (note === 'completes') await db.transaction().execute((trx) => complete(trx, { done: true }))
      if (note === 'times out')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    { timeout: '300ms', maxAttempts: 2, backoff: { delay: 0, factor: 1, max: 0, jitter: 0.5 } },
  )
  await next(worker, 'timedOut')
  await worker.stop()
  const rows = await plain
    .selectFrom('mail_jobs')
    .select(['note', 'status', 'attempts_count', 'result'])
    .orderBy('note')
    .execute()
  expect(rows).toMatchObject([
    { note: 'completes', status: 'job_status_succeeded', result: { done: true } },
    { note: 'fails once', status: 'job_status_succeeded', attempts_count: 2 },
    { note: 'times out', status: 'job_status_timed_out', attempts_count: 2 },
  ])
  expect(errors).toEqual([])
  expect(refused).toEqual([])
})

test('a table that is distributed while a worker runs is told of once, and its jobs are done after a restart', async () => {
  await createJobTable(
    db,
    'queued_jobs',
    (table) => table.addColumn('tenant_id', 'integer', (column) => column.notNull()).addColumn('note', 'text'),
    { notify: 'none' },
  )
  const queued = (handler: () => Promise<void>) =>
    createWorker(db, 'queued_jobs', handler, { logger: quiet, pollInterval: '20ms' })
  const worker = queued(async () => {})
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await sql`alter table queued_jobs drop constraint queued_jobs_pkey, add primary key (tenant_id, id)`.execute(db)
  const said: unknown[] = []
  worker.on('error', ({ error }) => said.push(error))
  const told = next(worker, 'error')
  await sql`select create_distributed_table('queued_jobs', 'tenant_id')`.execute(db)
  await enqueue(db, 'queued_jobs', { tenant_id: 1, note: 'a' })
  await told
  await plain.selectFrom('queued_jobs').select('id').execute() // meanwhile others have failed
  await worker.stop({ deadline: 0 })
  expect(said.map(String)).toEqual([
    "TableMovedError: The table was on the server that is asked when the worker started, and is distributed by 'tenant_id' now: restart the worker. Its jobs stay where they are",
  ])
  const another = queued(async () => {})
  onTestFinished(() => another.stop({ deadline: 0 }).then(() => {}))
  const done = next(another, 'succeeded')
  await another.start()
  await done
})

test('a job that the table refuses keeps no other of its tenant from running', async () => {
  await sql`alter table mail_jobs add constraint picky check (note <> '1-1' or attempts_count = 0)`.execute(plain)
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(plain).then(() => {}))
  await enqueue(db, 'mail_jobs', [...notes(1, 3), ...notes(2, 3)])
  const ran: string[] = []
  const { errors, idle } = await working(async ({ note }) => void ran.push(note))
  await idle
  expect(ran.toSorted()).toEqual(['1-0', '1-2', '2-0', '2-1', '2-2'])
  expect(errors.join()).toMatch(/which is passed over for 300 s.*violates check constraint "picky"/)
})

test.each<[name: string, options: Options, said: string]>([
  [
    'the archive',
    { succeeded: 'archive' },
    "succeeded, finished: 'archive': mail_jobs is distributed by 'tenant_id', and only jobs of a table whose rows are on one server can be archived; keep or delete them",
  ],
  [
    'hold',
    { hold: 'transaction' },
    'only jobs of a table whose rows are on one server can be held so; leave the option out',
  ],
])('what does not go there is refused at start-up, with the remedy: %s', async (_, options, said) => {
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, ...options })
  await expect(worker.start()).rejects.toThrow(said)
})

test('fairBy of the column that the table is distributed by is what it is anyway', async () => {
  await enqueue(db, 'mail_jobs', notes(1, 2))
  const ran: string[] = []
  const { idle } = await working(async ({ note }) => void ran.push(note), { fairBy: 'tenant_id' })
  await idle
  expect(ran).toHaveLength(2)
})
