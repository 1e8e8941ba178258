import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import { archiveJobs, cancelJobs, countJobs, createWorker, enqueue, retryJobs } from 'kysely-jobs'
import { addJobColumns, createJobArchive, createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, inspectJobTable, leaseOf, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next } from '../worker/mail-jobs.js'
import { worker } from './mail-jobs.js'

const { db, pool } = await testDatabase(async (db) => {
  await createJobTable(db, 'jobs', (table) => table.addColumn('to', 'text'), {
    columns: ['finished_at', 'result'],
    archive: {},
  })
})

beforeEach(async () => {
  await sql`truncate jobs, jobs_archive`.execute(db)
})

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Jobs in the archive, by what they are for. @returns their ids, by the same */
async function archived(handle: Kysely<any>, table: string, ...values: object[]): Promise<any[]> {
  const jobs = await enqueue(handle, table, values)
  const { archive, key } = await inspectJobTable(handle, table)
  const claimed = await fetchNextJobs(handle, table, { worker, limit: 1000, key })
  const ended = claimed.map((job) => ({ ...leaseOf(job), kind: 'failed', error: 'no route' }) as const)
  expect(await settle(handle, table, ended, { worker, key, archive, finished: 'archive' })).toHaveLength(values.length)
  return jobs.map(({ id }: any) => id)
}

const rowsOf = (table: string) => db.selectFrom(table).selectAll().orderBy('to').execute()

test('retryJobs brings archived jobs back, by their ids or by a condition, with the same ids, to run from the beginning', async () => {
  const [ada, bob, cleo] = await archived(db, 'jobs', { to: 'ada' }, { to: 'bob' }, { to: 'cleo' })
  expect(await rowsOf('jobs')).toEqual([])
  expect(await rowsOf('jobs_archive')).toMatchObject(Array(3).fill({ status: 'job_status_failed' }))
  const retried = await retryJobs(db, 'jobs', { ids: [ada, crypto.randomUUID()] }, { columns: ['finished_at'] })
  expect(retried).toEqual([ada])
  expect(await retryJobs(db, 'jobs', { where: (job) => job('to', '=', 'bob') }, { delay: '1h' })).toEqual([bob])
  const fresh = { status: 'job_status_not_started', attempts_count: 0, locked_at: null, last_error: 'no route' }
  expect(await rowsOf('jobs')).toMatchObject([
    { id: ada, ...fresh, finished_at: null },
    { id: bob, ...fresh },
  ])
  expect((await rowsOf('jobs_archive')).map(({ id }) => id)).toEqual([cleo])
  expect(await fetchNextJobs(db, 'jobs', { worker, limit: 9 })).toMatchObject([{ id: ada, attempts_count: 1 }])
})

test('a dry run of a retry counts jobs of the table and of its archive in one statement', async () => {
  const [ada] = await archived(db, 'jobs', { to: 'ada' }, { to: 'bob' })
  await enqueue(db, 'jobs', [{ to: 'ada' }, { to: 'cleo' }])
  const statements: string[] = []
  const log = ({ query }: { query: { sql: string } }) => void statements.push(query.sql)
  const logged = new Kysely<any>({ dialect: new PostgresDialect({ pool }), log })
  const ofAda: { where: (eb: any) => any } = { where: (job) => job('to', '=', 'ada') }
  expect(await retryJobs(logged, 'jobs', ofAda, { dryRun: true })).toBe(2)
  expect(statements.filter((statement) => statement.includes('"to"'))).toHaveLength(1)
  expect(await retryJobs(db, 'jobs', { ids: [ada, ada] }, { dryRun: true })).toBe(1)
  expect(await rowsOf('jobs_archive')).toHaveLength(2)
})

test('a retry that may not look into the archive, or finds no such column there, writes nothing', async () => {
  const role = `retrier_${process.pid}`
  await sql.raw(`create role ${role}; grant select, insert, update on jobs to ${role}`).execute(db)
  const dropRole = `drop owned by ${role}; drop role ${role}`
  onTestFinished(() =>
    sql
      .raw(dropRole)
      .execute(db)
      .then(() => {}),
  )
  const { id } = await enqueue(db, 'jobs', { to: 'ada' })
  await sql`update jobs set status = 'job_status_failed'`.execute(db)
  const retried = db.connection().execute(async (as) => {
    await sql.raw(`set role ${role}`).execute(as)
    try {
      return await retryJobs(as, 'jobs', { ids: [id] })
    } finally {
      await sql`reset role`.execute(as)
    }
  })
  await expect(retried).rejects.toMatchObject({ code: '42501' })
  await sql`alter table jobs add column late text`.execute(db)
  onTestFinished(() => sql`alter table jobs drop column late`.execute(db).then(() => {}))
  const byColumn = retryJobs(db, 'jobs', { where: (job) => job('late' as 'to', 'is', null) })
  await expect(byColumn).rejects.toMatchObject({ code: '42703' })
  expect(await rowsOf('jobs')).toMatchObject([{ status: 'job_status_failed' }])
})

test('jobs of the table and of its archive are retried by one call; running ones are left to their worker', async () => {
  const [gone] = await archived(db, 'jobs', { to: 'gone' })
  const [kept, running] = await enqueue(db, 'jobs', [{ to: 'kept' }, { to: 'running' }])
  await sql`update jobs set status = 'job_status_failed' where id = ${kept!.id}`.execute(db)
  await sql`update jobs set status = 'job_status_running', locked_by = ${worker} where id = ${running!.id}`.execute(db)
  const ids = [kept!.id, gone, running!.id]
  expect(await retryJobs(db, 'jobs', { ids })).toEqual([kept!.id, gone])
  expect(await retryJobs(db, 'jobs', { where: (job) => job.lit(true) })).toHaveLength(2)
})

test('a worker hears of a job that comes back, and runs it', async () => {
  const [ada] = await archived(db, 'jobs', { to: 'ada' })
  const made = createWorker(db, 'jobs', () => {}, { logger: quiet, finished: 'archive', pollInterval: '20ms' })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const succeeded = next(made, 'succeeded')
  await made.start()
  await retryJobs(db, 'jobs', { ids: [ada] })
  await succeeded
  expect(await rowsOf('jobs_archive')).toMatchObject([{ id: ada, status: 'job_status_succeeded' }])
})

test('a job whose place is taken stays in the archive, and holds up no other; in a transaction that goes on too', async () => {
  await sql`create unique index one_each on jobs ("to") where status in ('job_status_not_started', 'job_status_retry')`.execute(
    db,
  )
  onTestFinished(() => sql`drop index one_each`.execute(db).then(() => {}))
  const [ada, bob] = await archived(db, 'jobs', { to: 'ada' }, { to: 'bob' })
  const waiting = await enqueue(db, 'jobs', { to: 'ada' }) // what has ended, and is archived, is not in its way
  await db.transaction().execute(async (trx) => {
    const retried = await retryJobs(trx, 'jobs', { ids: [ada, bob] })
    expect([...retried]).toEqual([bob])
    expect(retried.refused).toMatchObject([{ id: ada, error: { constraint: 'one_each' } }])
  })
  expect((await rowsOf('jobs')).map(({ id }) => id)).toEqual([waiting.id, bob])
  expect((await rowsOf('jobs_archive')).map(({ id }) => id)).toEqual([ada])
})

test('a retry that is rolled back leaves its job in the archive', async () => {
  const [ada] = await archived(db, 'jobs', { to: 'ada' })
  const failed = db.transaction().execute(async (trx) => {
    expect(await retryJobs(trx, 'jobs', { ids: [ada] })).toEqual([ada])
    throw new Error('changed my mind')
  })
  await expect(failed).rejects.toThrow('changed my mind')
  expect(await rowsOf('jobs_archive')).toMatchObject([{ id: ada }])
  expect(await rowsOf('jobs')).toEqual([])
})

test('cancelJobs takes pending and running jobs to the archive where asked', async () => {
  const [ada, bob] = await enqueue(db, 'jobs', [{ to: 'ada' }, { to: 'bob' }])
  await sql`update jobs set status = 'job_status_running', locked_by = ${worker} where id = ${bob!.id}`.execute(db)
  const cancelled = await cancelJobs(db, 'jobs', { ids: [ada!.id, bob!.id] }, { reason: 'left', finished: 'archive' })
  expect(cancelled).toHaveLength(2)
  expect(await rowsOf('jobs')).toEqual([])
  const ended = { status: 'job_status_cancelled', last_error: 'Cancelled: left', locked_by: null }
  expect(await rowsOf('jobs_archive')).toMatchObject(Array(2).fill({ ...ended, finished_at: expect.any(Date) }))
})

test('a running job that is cancelled into the archive aborts its handler, which is told that it was cancelled', async () => {
  await enqueue(db, 'jobs', { to: 'ada' })
  const begun = Promise.withResolvers<void>()
  const made = createWorker(
    db,
    'jobs',
    (_job, { signal }) => {
      begun.resolve()
      return new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
    { logger: quiet, lease: '1s', finished: 'archive' },
  )
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const cancelled = next<{ reason: string }>(made, 'cancelled')
  await made.start()
  await begun.promise
  await cancelJobs(db, 'jobs', { where: (job) => job.lit(true) }, { reason: 'left', finished: 'archive' })
  expect((await cancelled).reason).toBe('left')
})

test('archiveJobs moves what has ended before there was an archive, as it was, and what can not go stays', async () => {
  await createJobTable(db, 'older_jobs', (table) => table.addColumn('to', 'text'))
  await sql`insert into older_jobs ("to", status, updated_at) values
    ('ada', 'job_status_succeeded', now() - interval '3 years'), ('bob', 'job_status_failed', now() - interval '2 hours'),
    ('cleo', 'job_status_failed', now()), ('dora', 'job_status_retry', now() - interval '1 year')`.execute(db)
  await createJobArchive(db, 'older_jobs')
  await sql`create table held (job uuid references older_jobs)`.execute(db)
  await sql`insert into held select id from older_jobs where "to" = 'bob'`.execute(db)
  const [ada] = (await rowsOf('older_jobs')) as [any]
  const moved = await archiveJobs(db, 'older_jobs', { olderThan: '1h' })
  expect([...moved]).toEqual([ada.id])
  expect(moved.refused).toMatchObject([{ error: { code: '23503' } }])
  expect(await rowsOf('older_jobs_archive')).toEqual([ada])
  expect((await rowsOf('older_jobs')).map(({ to }) => to)).toEqual(['bob', 'cleo', 'dora'])
})

test('verbs that are to archive say what is missing', async () => {
  await createJobTable(db, 'plain_jobs')
  await expect(archiveJobs(db, 'plain_jobs', { olderThan: 0 })).rejects.toThrow(
    'plain_jobs has no archive; createJobArchive',
  )
  const { id } = await enqueue(db, 'plain_jobs', {})
  await expect(cancelJobs(db, 'plain_jobs', { ids: [id] }, { finished: 'archive' })).rejects.toMatchObject({
    code: 'ARCHIVE',
  })
  const nothing = settle(db, 'plain_jobs', [], { worker, finished: 'archive' })
  await expect(nothing).rejects.toThrow('settle: give the archive of plain_jobs')
})

const oddTables: [string, string][] = [
  [
    'generated columns',
    `create table odd_jobs (id int generated always as identity primary key, "to" text, shout text generated always as (upper("to")) stored)`,
  ],
  [
    'a key of two columns',
    `create table odd_jobs (id int generated by default as identity, "to" text, tenant text not null default 'a', primary key (id, tenant))`,
  ],
  [
    'partitions',
    `create table odd_jobs (id int generated by default as identity, "to" text, primary key (id, "to")) partition by hash ("to"); create table odd_0 partition of odd_jobs for values with (modulus 1, remainder 0)`,
  ],
  [
    'a status of text, json and a short error',
    `create table odd_jobs (id bigint generated always as identity primary key, "to" text, errors json, result json, last_error varchar)`,
  ],
  [
    'checks and triggers',
    `create table odd_jobs (id text primary key default gen_random_uuid()::text, "to" text check (status <> 'job_status_failed' or "to" <> ''), status text not null default 'job_status_not_started')`,
  ],
  [
    'a dropped column',
    `create table odd_jobs (gone int, id uuid primary key default gen_random_uuid(), "to" text); alter table odd_jobs drop column gone`,
  ],
]

test.each(oddTables)('a table with %s is archived, and its jobs come back as they were', async (_what, ddl) => {
  await sql.raw(ddl).execute(db)
  onTestFinished(() =>
    sql`drop table if exists odd_jobs cascade; drop table odd_jobs_archive`.execute(db).then(() => {}),
  )
  onTestFinished(() => sql`drop function keep_job_archive_odd_jobs`.execute(db).then(() => {}))
  await addJobColumns(db, 'odd_jobs', { columns: ['errors', 'result'], status: 'text' })
  await createJobArchive(db, 'odd_jobs')
  const ids = await archived(db, 'odd_jobs', { to: 'ada' }, { to: 'bob' })
  const before = await rowsOf('odd_jobs_archive')
  expect(before.map(({ id }) => id)).toEqual(ids)
  const retried = await retryJobs(db, 'odd_jobs', { ids })
  expect([...retried].sort()).toEqual([...ids].sort())
  const written = ['status', 'attempts_count', 'locked_at', 'run_at', 'updated_at']
  const unwritten = (row: object) => Object.fromEntries(Object.entries(row).filter(([name]) => !written.includes(name)))
  expect((await rowsOf('odd_jobs')).map(unwritten)).toEqual(before.map(unwritten))
  expect(await rowsOf('odd_jobs_archive')).toEqual([])
})

test('a job that went there before a column was takes its default when it comes back', async () => {
  await createJobTable(db, 'grown_jobs', undefined, { archive: {} })
  const [id] = await archived(db, 'grown_jobs', {})
  await sql`alter table grown_jobs add column tag text not null default 'plain', add column note text default 'none'`.execute(
    db,
  )
  await addJobColumns(db, 'grown_jobs', { columns: ['priority'] })
  const retried = await retryJobs(db, 'grown_jobs', { ids: [id] })
  expect(retried.refused).toEqual([])
  const columns = db.selectFrom('grown_jobs').select(['id', 'tag', 'note', 'priority'])
  expect(await columns.execute()).toEqual([{ id, tag: 'plain', note: null, priority: 0 }])
})

test('an archive is no job table, and whoever takes it for one is told so', async () => {
  await expect(inspectJobTable(db, 'jobs_archive')).rejects.toThrow('is not a job table: it is the archive of one')
})

test('of jobs whose id is not theirs alone, only those come back that are meant', async () => {
  const ddl = 'create table lettered_jobs (id int, tenant text, primary key (id, tenant))'
  await sql.raw(ddl).execute(db)
  await addJobColumns(db, 'lettered_jobs')
  await createJobArchive(db, 'lettered_jobs')
  await archived(db, 'lettered_jobs', { id: 1, tenant: 'a' }, { id: 1, tenant: 'b' })
  expect(await retryJobs(db, 'lettered_jobs', { where: (job) => job('tenant', '=', 'a') })).toEqual([1])
  expect((await sql`select tenant from lettered_jobs_archive`.execute(db)).rows).toEqual([{ tenant: 'b' }])
})

test("archives are found by the user's plugins: schema and case", async () => {
  await sql`create schema app`.execute(db)
  const handle: Kysely<any> = db.withSchema('app').withPlugin(new CamelCasePlugin())
  await createJobTable(handle, 'mailJobs', (table: any) => table.addColumn('sentTo', 'text'), { archive: {} })
  const [ada, bob] = await archived(handle, 'mailJobs', { sentTo: 'ada' }, { sentTo: 'bob' })
  expect(await retryJobs(handle, 'mailJobs', { where: (job: any) => job('sentTo', '=', 'ada') })).toEqual([ada])
  expect(await retryJobs(handle, 'mailJobs', { where: (job: any) => job('job.sentTo', '=', 'bob') })).toEqual([bob])
  const { rows } = await sql`select sent_to from app.mail_jobs_all`.execute(db)
  expect(rows).toHaveLength(2)
})

test('a table whose name is as long as can be has an archive, a view and partitions under shortened names', async () => {
  const name = `${'a_very_long_name_of_jobs_'.repeat(3).slice(0, 59)}jobs`
  await createJobTable(db, name, (table) => table.addColumn('to', 'text'), {
    archive: { every: '1 hour', keep: '1 day' },
  })
  const [id] = await archived(db, name, { to: 'ada' })
  expect(await retryJobs(db, name, { ids: [id] })).toEqual([id])
})

test('retries and moves at once: each job is in exactly one of the two, and is retried once', async () => {
  const ids = await archived(db, 'jobs', ...Array.from({ length: 200 }, (_, n) => ({ to: String(n) })))
  const rounds = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      if (n % 2 === 0) return (await retryJobs(db, 'jobs', { ids })).length
      await cancelJobs(db, 'jobs', { ids }, { finished: 'archive' })
      return 0
    }),
  )
  expect(rounds.some((count) => count > 0)).toBe(true)
  const { rows } = await sql<{ id: string; count: number }>`
    select id, count(*)::int as count from (select id from jobs union all select id from jobs_archive) every group by id`.execute(
    db,
  )
  expect(rows).toHaveLength(200)
  expect(rows.filter(({ count }) => count !== 1)).toEqual([])
})

test('countJobs counts archived jobs as well, exactly while they are few, and by the statistics when they are many', async () => {
  await createJobTable(db, 'counted_jobs', (table) => table.addColumn('to', 'text'), { archive: {} })
  await archived(db, 'counted_jobs', { to: 'ada' }, { to: 'bob' })
  await enqueue(db, 'counted_jobs', { to: 'cleo' })
  const few = await countJobs(db, 'counted_jobs')
  expect(few).toMatchObject({ due: 1, exact: true, estimated: [], atLeast: [] })
  expect(few.statuses).toMatchObject({ job_status_failed: 2, job_status_succeeded: 0, job_status_not_started: 1 })
  const statuses = sql`(case when n % 100 = 0 then 'job_status_cancelled' else 'job_status_succeeded' end)::job_status`
  await sql`insert into counted_jobs_archive (id, created_at, updated_at, status, attempts_count, run_at)
    select gen_random_uuid(), now(), now() - n % 2 * interval '2 days', ${statuses}, 1, now() from generate_series(1, 30000) n`.execute(
    db,
  )
  expect((await countJobs(db, 'counted_jobs', { exact: true })).statuses).toMatchObject({
    ...{ job_status_succeeded: 29_700, job_status_cancelled: 300, job_status_failed: 2, job_status_not_started: 1 },
  })
  await sql`analyze counted_jobs_archive`.execute(db)
  const many = await countJobs(db, 'counted_jobs')
  expect(many).toMatchObject({ due: 1, exact: false, estimated: ['job_status_succeeded'], atLeast: [] })
  expect(many.statuses).toMatchObject({ job_status_cancelled: 300, job_status_failed: 2, job_status_not_started: 1 })
  expect(Math.abs(many.statuses.job_status_succeeded - 29_700)).toBeLessThan(300)
  expect(many.statisticsAge).toBeGreaterThan(0)
  await sql`update counted_jobs_archive set status = 'job_status_failed' where status = 'job_status_succeeded'`.execute(
    db,
  )
  expect(await countJobs(db, 'counted_jobs')).toMatchObject({ due: 1, atLeast: ['job_status_failed'] })
})
