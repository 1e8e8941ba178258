import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { afterAll, test as base, expect, onTestFinished } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import { isInstalled } from '../../tools/postgres/binaries.js'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { allShapes, createPartitioned } from '../partitioned/shapes.js'
import { createMailTables, next, quiet } from '../worker/mail-jobs.js'
import { everyVerb } from './every-verb.js'

/** The oldest release that we serve; all other tests meet the newest. */
const release = 14
const test = base.skipIf(!isInstalled(release))
const server = isInstalled(release) ? await startPostgres({ release, fsync: false }) : undefined
afterAll(() => server?.stop())

function handle() {
  const pool = guardPool(new pg.Pool({ connectionString: server?.url }))
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => db.destroy())
  return db
}

test('on Postgres 14 every verb serves tables with all columns and with few, of any kind of id and status', async () => {
  const db = handle()
  const { rows } = await sql<{ release: string }>`show server_version`.execute(db)
  expect(rows).toEqual([{ server_version: expect.stringMatching(/^14\./) }])
  const columns = ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors'] as const
  for (const options of [{}, { columns, id: 'bigint' }, { status: 'text', id: 'text' }] as const) {
    await createJobTable(db, 'jobs', (table) => table.addColumn('n', 'integer'), options)
    await everyVerb(db, 'jobs', (n) => ({ n, ...('status' in options && { id: `${n}` }) }))
    await dropJobTable(db, 'jobs')
  }
})

test('on Postgres 14 every verb serves tables that are partitioned by their users, and the doctor finds nothing in them', async () => {
  const db = handle()
  for (const shape of allShapes) {
    await createPartitioned(db, shape)
    expect(await examine(db, { tables: [shape] })).toEqual([])
    await everyVerb(db, shape, (n) => ({ note: `n${n}` }), { isUnique: false })
    await dropJobTable(db, shape)
  }
})

test('on Postgres 14 a worker hears of jobs at once, by triggers of a migration', async () => {
  const db = handle()
  await createMailTables(db)
  const worker = createWorker(db, 'mail_jobs', async () => {}, {
    logger: quiet,
    listen: server?.url,
    pollInterval: '1h',
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const listening = next(worker, 'listener', ({ state }: { state: string }) => state === 'listening')
  await worker.start()
  await listening
  for (const to of ['ada', 'bob']) {
    const succeeded = next(worker, 'succeeded')
    await enqueue(db, 'mail_jobs', { to })
    await succeeded
  }
})

test('on Postgres 14 the doctor finds nothing in tables as migrations make them, and what was broken', async () => {
  const db = handle()
  await createJobTable(db, 'jobs', undefined, { columns: ['priority'], archive: {} })
  await createJobTable(db, 'text_jobs', undefined, { status: 'text' })
  expect(await examine(db, { tables: ['jobs', 'text_jobs'] })).toEqual([])
  await sql`drop index job_running_jobs; alter table text_jobs disable trigger did_insert_job_text_jobs`.execute(db)
  const found = await examine(db, { tables: ['jobs', 'text_jobs'] })
  expect(found.map(({ code }) => code)).toEqual(['missing-index', 'disabled-trigger'])
  for (const table of ['jobs', 'text_jobs']) await dropJobTable(db, table)
})
