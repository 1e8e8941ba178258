import { type Kysely, sql } from 'kysely'
import { archiveJobs, countJobs, createRunner, createWorker, enqueue, pauseJobs } from 'kysely-jobs'
import {
  addJobColumns,
  createJobArchive,
  createJobHistory,
  createJobIndexes,
  createJobPauses,
  createJobRunners,
  createJobTable,
  dropJobIndexes,
} from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { observedTables } from '../../src/observe/observed-table.js'
import { overviewOf } from '../../src/observe/overview.js'
import { noStats } from '../../src/records/stats.js'
import { writeHistory } from '../../src/records/write-history.js'
import { jobColumnNames } from '../../src/schema/columns.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'
import { quiet } from '../worker/mail-jobs.js'

const overview = async (db: Kysely<any>, ...names: string[]) => overviewOf(db, await observedTables(db, names))

async function mailDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  await createJobTable(database.db, 'mail_jobs', (table) => table.addColumn('to', 'text'))
  return database
}

/** Some jobs that are as a value says, so many milliseconds old. */
const put = (db: Kysely<any>, count: number, status: string, age: string, table = 'mail_jobs') =>
  sql`
  insert into ${sql.table(table)} (status, attempts_count, run_at, updated_at, locked_by)
  select ${`job_status_${status}`}::job_status, 1, now() - ${age}::interval, now() - ${age}::interval,
    case when ${status} = 'running' then gen_random_uuid() end
  from generate_series(1, ${count}::integer)`.execute(db)

const exact = (count: number) => ({ count, is: 'exact' })

test('an empty table is one of zeros, and what has no table of its own is not known', async () => {
  await using database = await mailDatabase()
  const [seen] = await overview(database.db, 'mail_jobs')
  const zeros = { due: exact(0), running: exact(0), retrying: exact(0), scheduled: exact(0), oldestWait: 0 }
  expect(seen).toEqual({
    ...{ written: 'mail_jobs', table: { schema: 'public', name: 'mail_jobs' }, ...zeros },
    ...{ failedLastHour: exact(0), failedLastDay: exact(0), succeededLastHour: undefined },
    ...{ paused: false, pauses: [], workers: undefined },
  })
})

test('it says what is due, and for how long, what runs, waits and has failed, and what is paused, of several tables', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await createJobTable(db, 'urgent_jobs', (table) => table.addColumn('tenant', 'integer'), { columns: ['priority'] })
  await createJobPauses(db)
  await createJobHistory(db)
  for (const table of ['mail_jobs', 'urgent_jobs']) {
    await put(db, 3, 'not_started', '2 minutes', table)
    await put(db, 2, 'not_started', '-1 hour', table)
    await put(db, 4, 'retry', '-1 hour', table)
    await put(db, 1, 'retry', '1 minute', table)
    await put(db, 5, 'running', '1 minute', table)
    await put(db, 6, 'failed', '10 minutes', table)
    await put(db, 7, 'timed_out', '2 hours', table)
    await put(db, 8, 'failed', '2 days', table)
    await put(db, 9, 'succeeded', '1 minute', table)
  }
  await pauseJobs(db, 'mail_jobs', { reason: 'late' })
  await pauseJobs(db, 'urgent_jobs', { where: { tenant: 5 } })
  const stats = { ...noStats, succeeded: 9 }
  const of = { schema: 'public', name: 'mail_jobs' }
  await writeHistory(jobsOf(db, '').db, { schema: 'public', name: 'job_history' }, [{ of, stats }])
  const numbers = {
    ...{ due: exact(4), running: exact(5), retrying: exact(4), scheduled: exact(2) },
    ...{ failedLastHour: exact(6), failedLastDay: exact(13) },
  }
  const seen = await overview(db, 'mail_jobs', 'urgent_jobs')
  expect(seen).toMatchObject([
    { ...numbers, succeededLastHour: 9, paused: true, pauses: [{ reason: 'late' }] },
    { ...numbers, succeededLastHour: 0, paused: false, pauses: [{ where: { tenant: '5' } }] },
  ])
  for (const { oldestWait } of seen) expect(oldestWait).toBeGreaterThanOrEqual(120_000)
})

test('jobs that failed and are in the archive count with the others', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await createJobArchive(db, 'mail_jobs')
  await put(db, 3, 'failed', '10 minutes')
  await put(db, 2, 'timed_out', '3 hours')
  await archiveJobs(db, 'mail_jobs', { olderThan: 0 })
  await put(db, 1, 'failed', '10 minutes')
  expect(await overview(db, 'mail_jobs')).toMatchObject([{ failedLastHour: exact(4), failedLastDay: exact(6) }])
})

test('the workers of runners that are alive are told by their table', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await createJobTable(db, 'other_jobs')
  await createJobRunners(db)
  const runner = createRunner(db, { workers: [createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })] })
  await runner.start()
  const workers = async () => (await overview(db, 'mail_jobs', 'other_jobs')).map(({ workers }) => workers?.length)
  await expect.poll(workers).toEqual([1, 0])
  await sql`update job_runners set seen_at = now() - interval '1 minute'`.execute(db)
  expect(await workers()).toEqual([0, 0])
  await runner.stop()
})

test('more than ten thousand are "at least" so many, or estimated; without indexes a large table is not counted', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await put(db, 10_050, 'not_started', '1 minute')
  await put(db, 10_020, 'failed', '1 minute')
  await put(db, 12_000, 'retry', '-1 hour')
  await put(db, 10_000, 'running', '1 minute')
  await sql`analyze mail_jobs`.execute(db)
  const atLeast = { count: 10_000, is: 'at least' }
  const [seen] = await overview(db, 'mail_jobs')
  expect(seen).toMatchObject({ due: atLeast, running: atLeast, retrying: atLeast })
  expect(seen).toMatchObject({ failedLastHour: atLeast, failedLastDay: atLeast })
  await sql`update mail_jobs set "to" = repeat('x', 300)`.execute(db)
  await dropJobIndexes(db, 'mail_jobs')
  const unknown = { due: undefined, running: undefined, retrying: undefined, scheduled: undefined }
  expect(await overview(db, 'mail_jobs')).toMatchObject([
    { ...unknown, failedLastHour: undefined, oldestWait: undefined },
  ])
})

test('a table of few rows needs no index; one with odd names, in a schema of its own, is counted like any', async () => {
  await using database = await createTestDatabase<any>()
  await sql`create schema "Odd ""schema"`.execute(database.db)
  const db = database.db.withSchema('Odd "schema')
  await createJobTable(db, 'job "table', (table) => table.addColumn('select', 'text'))
  await dropJobIndexes(db, 'job "table')
  await enqueue(db, 'job "table', [{ select: 'a' }, { select: 'b' }])
  const [seen] = await overview(db, 'job "table')
  expect(seen).toMatchObject({ due: exact(2), running: exact(0), table: { schema: 'Odd "schema' } })
})

test("IHP's table, and one that is partitioned, are counted like any", async () => {
  await using database = await createTestDatabase<any>()
  const { db } = database
  await createIhpTable(db)
  await db.insertInto('send_mail_jobs').values({ recipient: 'ada' }).execute()
  await sql`create table months (id int, created_at timestamptz not null default now(), primary key (id, created_at)) partition by range (created_at)`.execute(
    db,
  )
  await sql`create table later_months partition of months default`.execute(db)
  await addJobColumns(db, 'months')
  await createJobIndexes(db, 'months')
  await sql`insert into months (id) select n from generate_series(1, 60000) n`.execute(db)
  const [ihp, months] = await overview(db, 'send_mail_jobs', 'months')
  expect(ihp).toMatchObject({ due: exact(1), running: exact(0), failedLastDay: exact(0) })
  expect(months).toMatchObject({ due: { count: 10_000, is: 'at least' }, running: exact(0), failedLastDay: exact(0) })
})

test('a role that may read the job table alone sees the rest as not known', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await Promise.all([createJobPauses(db), createJobRunners(db), createJobHistory(db)])
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const role = await createRole(database)
  await sql.raw(`grant select on mail_jobs to ${role}`).execute(db)
  const as = handleAs(database, role)
  const unknown = { pauses: undefined, workers: undefined, succeededLastHour: undefined }
  expect(await overview(as, 'mail_jobs')).toMatchObject([{ due: exact(1), paused: false, ...unknown }])
  await as.destroy()
})

test('an archive that a role may not read is left out of what it counts', async () => {
  await using database = await mailDatabase()
  const { db } = database
  await createJobArchive(db, 'mail_jobs')
  await put(db, 3, 'failed', '10 minutes')
  await archiveJobs(db, 'mail_jobs', { olderThan: 0 })
  await put(db, 1, 'failed', '10 minutes')
  const role = await createRole(database)
  await sql.raw(`grant select on mail_jobs to ${role}`).execute(db)
  const as = handleAs(database, role)
  const failed = async () => (await countJobs(as, 'mail_jobs')).statuses.job_status_failed
  const [overviewed] = await overview(as, 'mail_jobs')
  expect([overviewed?.failedLastHour, await failed()]).toEqual([exact(1), 1])
  // Whoever may read the queue's columns of it may count it.
  await sql.raw(`grant select (${jobColumnNames.join(', ')}) on mail_jobs_archive to ${role}`).execute(db)
  const [whole] = await overview(as, 'mail_jobs')
  expect([whole?.failedLastHour, await failed()]).toEqual([exact(4), 4])
  await as.destroy()
})
