import { Kysely, PostgresDialect, sql } from 'kysely'
import { countJobs } from 'kysely-jobs'
import { addJobColumns, createJobIndexes, createJobTable } from 'kysely-jobs/migrate'
import { type JobStatus, jobStatuses } from 'kysely-jobs/queue'
import { expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { type Plan, plansOf } from '../support/plan.js'
import { other } from './mail-jobs.js'

const { db, pool, url } = await testDatabase()

/** A job table that autovacuum leaves alone. */
async function createTable(name: string, columns: 'priority'[] = []): Promise<void> {
  await createJobTable(db, name, undefined, { columns, notify: 'none' })
  await sql`alter table ${sql.table(name)} set (autovacuum_enabled = off)`.execute(db)
}

async function fill(table: string, counts: Partial<Record<JobStatus, number>>): Promise<void> {
  for (const [status, count] of Object.entries(counts)) {
    await sql`insert into ${sql.table(table)} (status, run_at) select ${sql.lit(status)}, now() - n * interval '1 s'
      from generate_series(1, ${sql.lit(count)}) n`.execute(db)
  }
}

const none = Object.fromEntries(jobStatuses.map((status) => [status, 0]))
const exactly = { atLeast: [], estimated: [], statisticsAge: null, exact: true }

test('jobs are counted exactly while there are few, whatever old statistics say', async () => {
  await createTable('few_jobs', ['priority'])
  await fill('few_jobs', { job_status_not_started: 2000 })
  await sql`analyze few_jobs; update few_jobs set status = 'job_status_failed' where run_at < now() - interval '1000 s'`.execute(
    db,
  )
  await fill('few_jobs', {
    job_status_running: 3,
    job_status_retry: 4,
    job_status_succeeded: 5,
    job_status_timed_out: 6,
  })
  await db
    .insertInto('few_jobs')
    .values([{ locked_by: other }, { run_at: sql`now() + interval '1 h'` }])
    .execute()
  const {
    job_status_failed: failed,
    job_status_not_started: waiting,
    ...others
  } = (await countJobs(db, 'few_jobs')).statuses
  expect(failed + waiting).toBe(2002)
  expect(failed).toBeGreaterThan(990)
  expect(others).toEqual({
    ...none,
    job_status_failed: undefined,
    job_status_not_started: undefined,
    job_status_running: 3,
    job_status_retry: 4,
    job_status_succeeded: 5,
    job_status_timed_out: 6,
  })
  await sql`update few_jobs set run_at = now() + interval '1 h' where id = (select id from few_jobs where status = 'job_status_retry' limit 1)`.execute(
    db,
  )
  expect(await countJobs(db, 'few_jobs')).toMatchObject({
    ...exactly,
    ...{ due: waiting - 2 + 3, scheduled: 1, retrying: 1 },
  })
  expect(await countJobs(db, 'few_jobs', { exact: true })).toEqual(await countJobs(db, 'few_jobs'))
})

test('of many that ended those that failed are counted, and the others estimated, with the age of the statistics', async () => {
  await createTable('many_jobs')
  await fill('many_jobs', { job_status_succeeded: 30_000, job_status_cancelled: 3000 })
  await sql`analyze many_jobs`.execute(db)
  await fill('many_jobs', { job_status_failed: 1000, job_status_timed_out: 7, job_status_retry: 12 })
  const counts = await countJobs(db, 'many_jobs')
  expect(counts).toMatchObject({
    statuses: { job_status_failed: 1000, job_status_timed_out: 7, job_status_retry: 12, job_status_running: 0 },
    due: 12,
    atLeast: [],
    exact: false,
    statisticsAge: expect.any(Number),
  })
  expect(counts.estimated.toSorted()).toEqual(['job_status_cancelled', 'job_status_succeeded'])
  expect(Math.abs(counts.statuses.job_status_succeeded - 30_000)).toBeLessThan(2000)
  expect(await countJobs(db, 'many_jobs', { exact: true })).toMatchObject({
    ...exactly,
    statuses: { job_status_succeeded: 30_000, job_status_failed: 1000 },
  })
  // without the index of those that failed (a table of earlier days, or IHP's) they are estimated, and it is said
  await sql`drop index job_failed_many_jobs; analyze many_jobs`.execute(db)
  const { estimated, statuses } = await countJobs(db, 'many_jobs')
  expect(estimated).toEqual(
    expect.arrayContaining(['job_status_failed', 'job_status_timed_out', 'job_status_succeeded']),
  )
  expect(Math.abs(statuses.job_status_failed - 1000)).toBeLessThan(300)
})

test('a count that reaches its bound says so, or comes from the statistics', async () => {
  await createTable('piled_jobs', ['priority'])
  await fill('piled_jobs', { job_status_not_started: 10_500, job_status_running: 11_000, job_status_failed: 11_000 })
  expect(await countJobs(db, 'piled_jobs')).toMatchObject({
    due: 10_000,
    statuses: { job_status_running: 10_000, job_status_failed: 10_000, job_status_not_started: 10_000 },
    estimated: [],
    exact: false,
  })
  const { atLeast } = await countJobs(db, 'piled_jobs')
  for (const what of ['due', 'job_status_not_started', 'job_status_running', 'job_status_failed'])
    expect(atLeast).toContain(what)
  await sql`analyze piled_jobs`.execute(db)
  const counts = await countJobs(db, 'piled_jobs')
  expect(counts.estimated).toContain('job_status_failed')
  expect(counts.atLeast).toEqual(['due'])
  expect(Math.abs(counts.statuses.job_status_failed - 11_000)).toBeLessThan(1000)
})

test('what is read does not grow with the table', async () => {
  const planned = (table: string) => plansOf(pool, (handle) => countJobs(handle, table))
  const pages = (plans: readonly Plan[]) => plans.reduce((sum, { buffers }) => sum + buffers, 0)
  await createTable('small_jobs')
  await createTable('large_jobs')
  await fill('small_jobs', { job_status_succeeded: 100, job_status_failed: 20 })
  await fill('large_jobs', { job_status_succeeded: 100_000, job_status_failed: 20 })
  for (const table of ['small_jobs', 'large_jobs']) await sql`vacuum analyze ${sql.table(table)}`.execute(db)
  const [small, large] = [await planned('small_jobs'), await planned('large_jobs')]
  for (const { scans } of large) expect(scans).not.toContain('Seq Scan: large_jobs')
  expect(pages(large)).toBeLessThan(pages(small) + 100) // the catalog's own are in both
})

test('a table in partitions is counted by the statistics of its partitions', async () => {
  await sql`
    create table parted_jobs (id uuid not null default gen_random_uuid(), created_at timestamptz not null default now(),
      primary key (id, created_at)) partition by range (created_at);
    create table parted_old partition of parted_jobs for values from (minvalue) to ('2020-01-01') with (autovacuum_enabled = off);
    create table parted_new partition of parted_jobs for values from ('2020-01-01') to (maxvalue) with (autovacuum_enabled = off)`.execute(
    db,
  )
  await addJobColumns(db, 'parted_jobs')
  await createJobIndexes(db, 'parted_jobs')
  await fill('parted_jobs', { job_status_succeeded: 12_000, job_status_failed: 5 })
  await sql`insert into parted_jobs (created_at, status) select '2019-01-01', 'job_status_succeeded' from generate_series(1, 3000)`.execute(
    db,
  )
  await sql`analyze parted_old, parted_new`.execute(db)
  const counts = await countJobs(db, 'parted_jobs')
  expect(counts).toMatchObject({ statuses: { job_status_succeeded: 15_000, job_status_failed: 5 }, exact: false })
  expect(counts.estimated).toContain('job_status_succeeded')
})

test("counts are numbers whatever the user's type parsers make of them", async () => {
  await createTable('parsed_jobs')
  await fill('parsed_jobs', { job_status_failed: 3 })
  const types = { getTypeParser: (oid: number) => ([25, 2275].includes(oid) ? String : () => 'parsed') }
  const parsed = new Kysely<any>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url, types: types as never }) }),
  })
  onTestFinished(() => parsed.destroy())
  expect(await countJobs(parsed, 'parsed_jobs')).toEqual({
    ...exactly,
    statuses: { ...none, job_status_failed: 3 },
    ...{ due: 0, retrying: 0, scheduled: 0 },
    paused: false,
    pauses: [],
  })
  expect(await countJobs(parsed, 'parsed_jobs', { exact: true })).toMatchObject({ statuses: { job_status_failed: 3 } })
})
