import { type Kysely, sql } from 'kysely'
import {
  createJobArchive,
  createJobPauses,
  createJobRunners,
  createJobTable,
  createJobTriggers,
  createUniqueIndex,
  dropJobTriggers,
} from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import type { FindingCode, Severity } from '../../src/doctor/finding.js'
import { newWorkerId } from '../../src/schema/lease-token.js'
import { createTestDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'
import { found, paste } from './examining.js'

/** A database that was well, and what was done to it. */
interface Broken {
  readonly title: string
  readonly make?: (db: Kysely<any>) => Promise<unknown>
  readonly broken: string | ((db: Kysely<any>) => Promise<unknown>)
  readonly code: FindingCode
  readonly severity: Severity
  readonly says: string | RegExp
  /** What its remedy has where it has no SQL, or beside it. */
  readonly remedy?: string | RegExp
}

const jobs = (db: Kysely<any>) => createJobTable(db, 'jobs', (table) => table.addColumn('tenant', 'integer'))
const withPriority = (db: Kysely<any>) =>
  createJobTable(db, 'jobs', undefined, { columns: ['priority', 'max_attempts'] })
const odd = (db: Kysely<any>) =>
  sql`create schema "Odd ""schema"`.execute(db).then(() => createJobTable(db.withSchema('Odd "schema'), "Ann's Jobs"))

/** A row of a table, as a hand writes it. */
const row = (values: string) =>
  `insert into jobs (status, locked_by, locked_at, run_at, attempts_count) values (${values})`
const someone = `'00000000-0000-4000-8000-000000000001'`
const held = (lease: number) => row(`'job_status_running', '${newWorkerId(lease)}', now(), now(), 1`)

/** Gives a column another type: no trigger may name it meanwhile. */
const retyped = (column: string, type: string) => async (db: Kysely<any>) => {
  await dropJobTriggers(db, 'jobs')
  await sql.raw(`alter table jobs alter ${column} type ${type}`).execute(db)
  await createJobTriggers(db, 'jobs')
}

const mendedBySql: Broken[] = [
  {
    title: 'a column of the seed is NOT NULL that the queue empties',
    broken: 'alter table jobs alter last_error set default $$none$$, alter last_error set not null',
    code: 'not-a-job-table',
    severity: 'error',
    says: "jobs can't hold jobs: column 'last_error' must be nullable.",
  },
  {
    title: 'its priority may be null',
    make: withPriority,
    broken: 'alter table jobs alter priority drop not null; insert into jobs (priority) values (null)',
    code: 'not-a-job-table',
    severity: 'error',
    says: "column 'priority' must be NOT NULL",
  },
  {
    title: 'locked_by is a text that is too short',
    broken: retyped('locked_by', 'varchar(20)'),
    code: 'not-a-job-table',
    severity: 'error',
    says: "column 'locked_by' is character varying(20), too short",
  },
  {
    title: 'columns may be null',
    broken: 'alter table jobs alter run_at drop not null, alter attempts_count drop not null',
    code: 'nullable-column',
    severity: 'warning',
    says: 'attempts_count and run_at of jobs may be null.',
  },
  {
    title: 'its enum knows no cancelled job',
    make: (db) =>
      sql`create type job_status as enum ('job_status_not_started', 'job_status_running', 'job_status_failed', 'job_status_timed_out', 'job_status_succeeded', 'job_status_retry')`
        .execute(db)
        .then(() => jobs(db)),
    broken: 'select 1',
    code: 'no-cancelled-status',
    severity: 'advice',
    says: "status of jobs can't hold 'job_status_cancelled'.",
  },
  {
    title: 'indexes were dropped',
    make: withPriority,
    broken: 'drop index job_ready_jobs, job_due_jobs, job_running_jobs',
    code: 'missing-index',
    severity: 'warning',
    says: 'The indexes job_ready_jobs, job_due_jobs, and job_running_jobs are missing.',
    remedy: "await createJobIndexes(db, 'jobs', { concurrently: true })",
  },
  {
    title: 'an index of a table with odd names was dropped',
    make: odd,
    broken: (db) =>
      sql
        .raw(
          `do $$ begin execute (select format('drop index %I.%I', schemaname, indexname) from pg_indexes where indexname like 'job_running%'); end $$`,
        )
        .execute(db),
    code: 'missing-index',
    severity: 'warning',
    says: ` of "Odd ""schema"."Ann's Jobs" is missing.`,
  },
  {
    title: 'an index of ours has another condition',
    broken: `drop index job_running_jobs; create index job_running_jobs on jobs (locked_by) where status <> 'job_status_running'`,
    code: 'wrong-index',
    severity: 'warning',
    says: 'job_running_jobs of jobs has other columns, or another condition',
  },
  {
    title: 'an index has the columns of the days before priority',
    broken: `alter table jobs add priority int2 not null default 0;
      create index job_due_jobs on jobs ((run_at at time zone 'UTC')) where status in ('job_status_not_started', 'job_status_retry')`,
    code: 'wrong-index',
    severity: 'warning',
    says: 'job_ready_jobs of jobs has other columns',
  },
  {
    title: 'an index was left behind invalid',
    broken: `update pg_index set indisvalid = false where indexrelid = 'job_ready_jobs'::regclass`,
    code: 'broken-index',
    severity: 'warning',
    says: 'The index job_ready_jobs of jobs is not valid',
  },
  {
    title: 'a unique index was left behind invalid',
    make: async (db) => {
      await jobs(db)
      await createUniqueIndex(db, 'jobs', ['tenant'])
    },
    broken: `update pg_index set indisvalid = false where indexrelid = 'job_unique_jobs__tenant'::regclass`,
    code: 'broken-unique-index',
    severity: 'error',
    says: 'The index job_unique_jobs__tenant of jobs is not valid',
  },
  {
    title: 'a REINDEX CONCURRENTLY that failed left its index behind',
    broken: `create index job_ready_jobs_ccnew on jobs (run_at);
      update pg_index set indisvalid = false where indexrelid = 'job_ready_jobs_ccnew'::regclass`,
    code: 'broken-index',
    severity: 'warning',
    says: 'The index job_ready_jobs_ccnew of jobs is not valid',
  },
  {
    title: 'an index of the whole table is on status',
    broken: 'create index jobs_by_status on jobs (status)',
    code: 'costly-index',
    severity: 'advice',
    says: 'The index jobs_by_status of jobs is over status, which the queue writes; it was read 0 times.',
  },
  {
    title: 'an index has locked_at in its condition, so that each heartbeat writes it',
    broken: 'create index jobs_locked on jobs (tenant) where locked_at is not null',
    code: 'costly-index',
    severity: 'advice',
    says: 'The index jobs_locked of jobs is over locked_at and tenant',
  },
  {
    title: 'the triggers are gone',
    broken:
      'drop trigger did_insert_job_jobs on jobs; drop trigger did_update_job_jobs on jobs; drop function notify_job_queued_jobs()',
    code: 'no-triggers',
    severity: 'advice',
    says: 'The triggers did_insert_job_jobs and did_update_job_jobs are missing.',
    remedy: "await createJobTriggers(db, 'jobs')",
  },
  {
    title: 'one trigger is gone',
    broken: 'drop trigger did_update_job_jobs on jobs',
    code: 'missing-trigger',
    severity: 'warning',
    says: 'The trigger did_update_job_jobs is missing.',
  },
  {
    title: 'a trigger is disabled',
    broken: 'alter table jobs disable trigger did_insert_job_jobs',
    code: 'disabled-trigger',
    severity: 'warning',
    says: 'did_insert_job_jobs of jobs is disabled.',
  },
  {
    title: 'the triggers have an old function',
    broken: `create or replace function notify_job_queued_jobs() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$ begin perform pg_notify('job_available_jobs', ''); return null; end $$`,
    code: 'old-trigger',
    severity: 'advice',
    says: 'did_insert_job_jobs and did_update_job_jobs of jobs is not what createJobTriggers makes',
  },
  {
    title: 'a trigger fires for every update',
    broken: `create or replace trigger did_update_job_jobs after update on jobs for each row execute function notify_job_queued_jobs()`,
    code: 'old-trigger',
    severity: 'advice',
    says: 'did_update_job_jobs of jobs is not what',
  },
  {
    title: 'autovacuum is off for it',
    broken: 'alter table jobs set (autovacuum_enabled = off)',
    code: 'autovacuum-off',
    severity: 'warning',
    says: 'autovacuum is off for jobs.',
  },
  {
    title: 'its storage is that of any table',
    broken: 'alter table jobs reset (fillfactor, autovacuum_vacuum_scale_factor)',
    code: 'storage-settings',
    severity: 'advice',
    says: 'jobs has no setting of its own for fillfactor and autovacuum_vacuum_scale_factor.',
    remedy: "await setJobStorage(db, 'jobs')",
  },
  {
    title: 'a running job has no holder',
    broken: row(`'job_status_running', null, now(), now(), 1`),
    code: 'running-unlocked',
    severity: 'warning',
    says: '1 job of jobs is running with locked_by or locked_at null',
  },
  {
    title: 'jobs that wait were left locked',
    broken: `${row(`'job_status_retry', ${someone}, now() - interval '1 hour', now(), 1`)}; ${row(`'job_status_not_started', ${someone}, null, now(), 1`)}`,
    code: 'pending-locked',
    severity: 'warning',
    says: '2 jobs of jobs are due and waiting, and locked',
  },
  {
    title: 'jobs are never due',
    make: withPriority,
    broken: row(`'job_status_retry', null, null, 'infinity', 1`),
    code: 'never-due',
    severity: 'warning',
    says: 'jobs has 1 job with a run_at of infinity that waits.',
  },
  {
    title: 'the archive has no partition for today',
    make: (db) => jobs(db).then(() => createJobArchive(db, 'jobs')),
    broken: `do $$ declare part text; begin
      for part in select inhrelid::regclass::text from pg_inherits where inhparent = 'jobs_archive'::regclass and inhrelid::regclass::text !~ 'before|default' loop
        execute 'drop table ' || part;
      end loop; end $$`,
    code: 'archive-partitions',
    severity: 'warning',
    says: /jobs_archive has no partition for what ends now \(the last ended \d+ (s|min|h) ago\)/,
    remedy: "await keepJobArchive(db, 'jobs')",
  },
  {
    title: 'a table of ours has lost its comment',
    make: (db) => jobs(db).then(() => createJobPauses(db)),
    broken: 'comment on table job_pauses is null',
    code: 'side-table-unfit',
    severity: 'warning',
    says: '"public"."job_pauses" has lost its comment',
    remedy: 'await createJobPauses(db)',
  },
]

const breakIt = (db: Kysely<any>, { broken }: Pick<Broken, 'broken'>) =>
  typeof broken === 'string' ? sql.raw(broken).execute(db) : broken(db)

describe('a table is found broken, and well when its SQL was run as it is given:', () => {
  test.each(mendedBySql)('$title', async ({ make = jobs, broken, code, severity, says, remedy }) => {
    await using database = await createTestDatabase()
    const { db } = database
    await make(db)
    await breakIt(db, { broken })
    const finding = found(await examine(db), code)
    expect(finding.severity).toBe(severity)
    if (typeof says === 'string') expect(finding.what).toContain(says)
    else expect(finding.what).toMatch(says)
    if (remedy !== undefined) expect(finding.migration).toContain(remedy)
    expect(finding.sql).not.toEqual([])
    await paste(database, finding.sql)
    expect(await examine(db)).toEqual([])
  })
})

const mendedByPeople: Broken[] = [
  {
    title: 'columns hold no time zone',
    broken: retyped('run_at', 'timestamp'),
    code: 'not-a-job-table',
    severity: 'error',
    says: "column 'run_at' is timestamp without time zone",
    remedy: `alter column "run_at" type timestamptz using`,
  },
  {
    title: 'jobs of workers that died are rescued by nobody',
    broken: `${row(`'job_status_running', ${someone}, now() - interval '3 hours', now(), 1`)}; ${row(`'job_status_running', ${someone}, now() - interval '1 hour', now(), 1`)}; ${held(60_000)}`,
    code: 'expired-leases',
    severity: 'error',
    says: '2 jobs of jobs are running by workers that are gone; the oldest was renewed 3 h ago.',
    remedy: 'Start a worker',
  },
  {
    title: 'due jobs wait, and none runs',
    make: withPriority,
    broken: row(`'job_status_not_started', null, null, now() - interval '2 hours', 0`),
    code: 'unserved-jobs',
    severity: 'error',
    says: '1 job of jobs has waited to begin, the oldest for 2 h, and none runs.',
    remedy: 'Start a worker',
  },
  {
    title: 'workers of one table have several leases',
    broken: `${held(60_000)}; ${held(600_000)}`,
    code: 'leases-differ',
    severity: 'advice',
    says: 'Running jobs of jobs have leases of 60 s, 10 min.',
    remedy: 'the same lease',
  },
  {
    title: 'jobs have no attempt left',
    make: withPriority,
    broken: `insert into jobs (attempts_count, max_attempts, run_at) values (3, 3, now() + interval '1 hour')`,
    code: 'attempts-used-up',
    severity: 'advice',
    says: '1 job of jobs waits with no attempt left by max_attempts.',
    remedy: 'Raise max_attempts',
  },
  {
    title: 'a text without a CHECK holds what is no status',
    make: (db) => createJobTable(db, 'jobs', undefined, { status: 'text' }),
    broken: `alter table jobs drop constraint jobs_status_check; insert into jobs (status) values ('done'), ('job_status_succeeded')`,
    code: 'unknown-status',
    severity: 'error',
    says: 'Of the last 10,000 jobs of jobs that have ended 1 has a status that is none of the seven.',
    remedy: 'CHECK',
  },
  {
    title: 'the archive lacks a column',
    make: (db) => jobs(db).then(() => createJobArchive(db, 'jobs')),
    broken: 'alter table jobs add more text',
    code: 'archive-unfit',
    severity: 'error',
    says: `"public"."jobs_archive" lacks "more"`,
    remedy: 'Mend what is said of it',
  },
  {
    title: 'the archive has jobs that have no partition',
    make: (db) => jobs(db).then(() => createJobArchive(db, 'jobs')),
    broken: `insert into jobs_archive (id, created_at, status, attempts_count, run_at, updated_at) values (gen_random_uuid(), now(), 'job_status_succeeded', 1, now(), now() + interval '1 year')`,
    code: 'archive-misplaced',
    severity: 'warning',
    says: '1 job is in the default partition of jobs_archive.',
    remedy: 'partitions',
  },
  {
    title: 'a table that has the name of ours is another',
    broken: 'create table job_pauses (id int)',
    code: 'side-table-unfit',
    severity: 'warning',
    says: '"public"."job_pauses" is there, and no table that createJobPauses made',
    remedy: 'Rename it.',
  },
]

test.each(mendedByPeople)('what only people can mend is told: $title', async (broken) => {
  await using database = await createTestDatabase()
  const { db } = database
  await (broken.make ?? jobs)(db)
  await breakIt(db, broken)
  const findings = await examine(db)
  expect(findings.map(({ code }) => code)).toEqual([broken.code])
  expect(findings[0]).toMatchObject({ severity: broken.severity, what: expect.stringContaining(broken.says as string) })
  expect(findings[0]?.remedy).toMatch(broken.remedy ?? '')
})

test('an IHP table as it is has advice and warnings, each with the SQL that mends it', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await createIhpTable(db)
  const findings = await examine(db)
  expect(findings.map(({ code }) => code).sort()).toEqual([
    ...['missing-index', 'no-cancelled-status', 'no-triggers', 'storage-settings'],
  ])
  for (const { sql: statements } of findings) await paste(database, statements)
  expect(await examine(db)).toEqual([])
})

test('a table of ours of an older version is told, with the migration that brings it up to date', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await createJobPauses(db)
  await jobs(db)
  await sql`comment on table job_pauses is 'Pauses. Version 0, for packages that know version 0 or a later one.'`.execute(
    db,
  )
  expect(found(await examine(db), 'side-table-unfit')).toMatchObject({
    what: expect.stringContaining('"public"."job_pauses" is of version 0, and this package needs 1'),
    migration: 'await createJobPauses(db)',
  })
})

test('an index that is being built is not taken for one that was left behind', async () => {
  await using database = await createTestDatabase()
  const { db, pool } = database
  await jobs(db)
  const [holder, builder] = [await pool.connect(), await pool.connect()]
  await holder.query('begin; lock table jobs in row exclusive mode')
  const built = builder.query('create index concurrently jobs_by_tenant on jobs (tenant)')
  const isThere = sql`select from pg_index where indexrelid = to_regclass('jobs_by_tenant') and not indisvalid`
  while ((await isThere.execute(db)).rows.length === 0);
  expect(await examine(db)).toEqual([])
  await holder.query('rollback')
  await built
  for (const client of [holder, builder]) client.release()
})

test('what is paused is meant to wait', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await jobs(db)
  await createJobPauses(db)
  await sql.raw(row(`'job_status_not_started', null, null, now() - interval '2 hours', 0`)).execute(db)
  await sql`insert into job_pauses (job_schema, job_table, paused_key) values ('public', 'jobs', '{}')`.execute(db)
  expect(await examine(db)).toEqual([])
  await sql`update job_pauses set until = now()`.execute(db)
  expect(await examine(db)).toMatchObject([{ code: 'unserved-jobs' }])
})

test('a table whose workers are alive is served, also where none of its jobs runs just now', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await jobs(db)
  await createJobTable(db, 'other_jobs')
  await createJobRunners(db)
  const waiting = row(`'job_status_not_started', null, null, now() - interval '2 hours', 0`)
  await sql.raw(`${waiting}; ${waiting.replace('into jobs', 'into other_jobs')}`).execute(db)
  const workers = JSON.stringify([{ schema: 'public', table: 'other_jobs' }])
  await sql`insert into job_runners (id, host, pid, package_version, node_version, started_at, workers)
    values (gen_random_uuid(), 'host', 1, '1.0.0', '22.0.0', now(), ${workers})`.execute(db)
  expect(await examine(db)).toMatchObject([{ code: 'unserved-jobs', table: { name: 'jobs' } }])
  await sql`update job_runners set seen_at = now() - interval '1 minute'`.execute(db)
  const names = async () => (await examine(db)).map(({ table }) => table?.name)
  expect(await names()).toEqual(['jobs', 'other_jobs'])
})

test('a database without a job table is told from one in which all is well', async () => {
  await using database = await createTestDatabase()
  expect(await examine(database.db)).toMatchObject([{ code: 'no-job-table', severity: 'warning' }])
})

test('a table that lacks a column is examined where it is named', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await jobs(db)
  await sql`alter table jobs drop column last_error`.execute(db)
  const { what, migration } = found(await examine(db, { tables: ['jobs'] }), 'not-a-job-table')
  expect(what).toContain("column 'last_error' is missing")
  expect(migration).toBe("await addJobColumns(db, 'jobs')")
})

test('dead rows that nobody has vacuumed, and the room that they took', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await jobs(db)
  await sql`alter table jobs set (autovacuum_enabled = off)`.execute(db)
  await sql`insert into jobs (last_error, status) select repeat('x', 1000), 'job_status_succeeded' from generate_series(1, 120000)`.execute(
    db,
  )
  await sql`delete from jobs`.execute(db)
  await expect.poll(async () => (await examine(db)).map(({ code }) => code)).toContain('dead-rows')
  const dead = found(await examine(db), 'dead-rows')
  expect(dead.what).toBe('jobs has 120,000 dead rows beside 0, and was never vacuumed.')
  await sql`alter table jobs reset (autovacuum_enabled)`.execute(db)
  // As vacuum finds it while a row at the end is alive: the room stays with the table.
  await sql`insert into jobs (status) values ('job_status_succeeded')`.execute(db)
  await paste(database, dead.sql)
  const findings = await examine(db)
  expect(findings.map(({ code }) => code)).toEqual(['bloat'])
  expect(findings[0]?.what).toMatch(/^jobs takes 1\d\d MB for 1 row of some 0 MB/)
})
