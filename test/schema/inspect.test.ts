import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { addJobColumns, createJobTable, createJobTriggers } from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs')
})

/** A job table with one thing changed. */
async function changed(change: string): Promise<Kysely<any>> {
  await sql`drop table if exists odd_jobs cascade`.execute(db)
  await createJobTable(db, 'odd_jobs', undefined, {
    columns: ['priority', 'max_attempts', 'result', 'errors'],
    notify: 'none',
  })
  await sql`${sql.raw(change)}`.execute(db)
  return db
}

test("a job table is described with its columns' real types, the user's own too", async () => {
  await createJobTable(db, 'file_jobs', (table) => table.addColumn('size', 'bigint'))
  const { table, columns, holdsCancelled, advice } = await inspectJobTable(db, 'file_jobs')
  expect(table).toEqual({ schema: 'public', name: 'file_jobs' })
  expect(columns.get('run_at')).toBe('timestamp with time zone')
  expect(columns.get('status')).toBe('job_status')
  expect(columns.get('size')).toBe('bigint')
  expect(holdsCancelled).toBe(true)
  expect(advice).toEqual([])
})

test('everything that is missing or wrong is said in one error', async () => {
  await sql`create table things (id boolean, status int, locked_by text not null, run_at date)`.execute(db)
  await expect(inspectJobTable(db, 'things')).rejects.toMatchObject({
    code: 'NOT_A_JOB_TABLE',
    message: [
      "things is not a job table: column 'created_at' is missing; column 'updated_at' is missing; column 'last_error' is missing",
      "; column 'attempts_count' is missing; column 'locked_at' is missing",
      "; column 'id' is boolean, must be uuid, bigint, integer or text",
      "; column 'status' is integer, must be an enum of the job statuses, or text",
      "; column 'locked_by' must be nullable",
      "; column 'run_at' is date, must be timestamp with time zone",
      '; nothing proves that no two rows have the same id, by which jobs are claimed and written: make it the primary key',
      ' (alter table "public"."things" add primary key (id); of a partitioned table together with the columns that it is',
      ' partitioned by). A unique index serves too, if it is valid, neither partial nor deferrable, and on columns that are NOT NULL',
      '. addJobColumns, in a migration, adds what is missing',
    ].join(''),
  })
})

test('a column that is in camel case in the database itself is named, and what it must be called', async () => {
  await changed('alter table odd_jobs rename locked_by to "lockedBy"')
  await expect(inspectJobTable(db, 'odd_jobs')).rejects.toThrow(
    "odd_jobs is not a job table: column 'lockedBy' must be called 'locked_by' (CamelCasePlugin shows it as 'lockedBy')",
  )
})

test.each([
  ['alter table odd_jobs alter locked_at set not null', "column 'locked_at' must be nullable"],
  [
    'alter table odd_jobs alter last_error type varchar(200)',
    "column 'last_error' is character varying(200), too short",
  ],
  ['alter table odd_jobs alter locked_by type varchar(20)', "column 'locked_by' is character varying(20), too short"],
  ['alter table odd_jobs alter priority drop not null', "column 'priority' must be NOT NULL"],
  ['alter table odd_jobs alter max_attempts type text', "column 'max_attempts' is text, must be integer"],
  ['alter table odd_jobs alter errors type text', "column 'errors' is text, must be jsonb"],
])('%s: %s', async (change, flaw) => {
  await expect(inspectJobTable(await changed(change), 'odd_jobs')).rejects.toThrow(flaw)
})

test('columns without a time zone are refused, all in one, with the statement that mends them', async () => {
  await sql`create schema "Pris ma"; create table "Pris ma"."Odd ""jobs" (
    id uuid primary key, created_at timestamp(3) not null default current_timestamp, updated_at timestamp(3) not null,
    status text not null default 'job_status_not_started', last_error text, attempts_count int not null default 0,
    locked_at timestamp(3), locked_by text, run_at timestamp not null default (now() at time zone 'utc'), started_at timestamp,
    "my time" timestamp)`.execute(db)
  const prisma = db.withSchema('Pris ma')
  const { message } = await inspectJobTable(prisma, 'Odd "jobs').then(
    () => ({ message: 'accepted' }),
    (error) => error,
  )
  for (const name of ['updated_at', 'locked_at', 'run_at', 'started_at']) {
    expect(message).toMatch(
      new RegExp(`column '${name}' is timestamp.* without time zone, must be timestamp with time zone`),
    )
  }
  const statement = message.slice(message.indexOf('drop trigger'))
  expect(statement.match(/alter table|type timestamptz/g)).toHaveLength(5)
  await createJobTriggers(prisma, 'Odd "jobs')
  await db.connection().execute(async (connection) => {
    const odd = connection.withSchema('Pris ma')
    const insert = () =>
      odd.insertInto('Odd "jobs').values({ id: crypto.randomUUID(), updated_at: sql`now()` }).execute()
    await insert()
    await sql`set time zone 'Asia/Tokyo'`.execute(connection)
    await sql.raw(statement).execute(connection)
    await insert()
    const { rows } = await sql`
      select max(abs(extract(epoch from now() - run_at)))::int < 60 as near from "Pris ma"."Odd ""jobs"`.execute(
      connection,
    )
    expect(rows).toEqual([{ near: true }])
    await sql`reset time zone`.execute(connection)
  })
  await createJobTriggers(prisma, 'Odd "jobs')
  expect((await inspectJobTable(prisma, 'Odd "jobs')).columns.get('created_at')).toBe('timestamp(3) without time zone')
})

test('a domain over a domain serves as the type under both, with its length, its NOT NULL and its CHECK', async () => {
  await sql`
    create domain name36 as varchar(36); create domain holder as name36;
    create domain name20 as varchar(20); create domain short as name20;
    create domain filled as int not null; create domain level as filled;
    create domain known as text check (value in ('job_status_not_started', 'job_status_running', 'job_status_retry',
      'job_status_succeeded', 'job_status_failed', 'job_status_timed_out')); create domain state as known;
    create table domain_jobs (status state not null, locked_by holder, priority level, last_error text)`.execute(db)
  await addJobColumns(db, 'domain_jobs')
  expect((await inspectJobTable(db, 'domain_jobs')).holdsCancelled).toBe(false)
  await expect(
    inspectJobTable(await changed('alter table odd_jobs alter locked_by type short'), 'odd_jobs'),
  ).rejects.toThrow("column 'locked_by' is short, too short")
})

test('a status that can not hold every status of the seed is refused, whether enum, CHECK or domain', async () => {
  for (const type of [
    "text check (status in ('job_status_not_started', 'job_status_running', 'job_status_succeeded'))",
    'some_status',
  ]) {
    await sql`drop table if exists odd_jobs; drop type if exists some_status`.execute(db)
    await sql`create type some_status as enum ('job_status_not_started', 'job_status_running', 'job_status_succeeded')`.execute(
      db,
    )
    await sql`create table odd_jobs (status ${sql.raw(type)})`.execute(db)
    await addJobColumns(db, 'odd_jobs')
    await expect(inspectJobTable(db, 'odd_jobs')).rejects.toThrow(
      "column 'status' can't hold 'job_status_failed', 'job_status_timed_out', 'job_status_retry'",
    )
  }
})

test('text, with or without a CHECK, and varchar serve as status; only what can hold it is cancelled', async () => {
  const held = async (type: string) => {
    await sql`drop table if exists odd_jobs`.execute(db)
    await sql`create table odd_jobs (status ${sql.raw(type)})`.execute(db)
    await addJobColumns(db, 'odd_jobs')
    return (await inspectJobTable(db, 'odd_jobs')).holdsCancelled
  }
  expect(await held('text')).toBe(true)
  expect(await held('varchar(30) check (length(status) > 3)')).toBe(true)
  const six = ['not_started', 'running', 'failed', 'timed_out', 'succeeded', 'retry'].map(
    (name) => `'job_status_${name}'`,
  )
  expect(await held(`text check (status in (${six.join(', ')}))`)).toBe(false)
})

test('what a table lacks but does not need is advice, with its remedy', async () => {
  await sql`create table slow_jobs (tenant int, id uuid, primary key (tenant, id))`.execute(db)
  await addJobColumns(db, 'slow_jobs')
  expect((await inspectJobTable(db, 'slow_jobs')).advice).toEqual([
    'slow_jobs has no index that begins with id, by which jobs are updated: make id its primary key',
    'slow_jobs lacks an index by which due or running jobs are found, so each fetch reads the table: createJobIndexes, in a migration, makes them',
    'slow_jobs has no enabled trigger did_insert_job_slow_jobs nor did_update_job_slow_jobs, so new jobs are found by polling only: createJobTriggers, in a migration, makes it',
  ])
  await createJobTriggers(db, 'slow_jobs')
  expect((await inspectJobTable(db, 'slow_jobs')).advice).toHaveLength(2)
})

test('a view is no job table, and a table that is not there is named as it was looked for', async () => {
  await sql`create view jobs_view as select * from mail_jobs`.execute(db)
  await expect(inspectJobTable(db, 'jobs_view')).rejects.toThrow('jobs_view is not a job table: it is a view')
  await expect(inspectJobTable(db.withSchema('Odd "schema"'), 'jobs')).rejects.toMatchObject({
    code: 'NO_SUCH_TABLE',
    message: expect.stringContaining('There is no table "Odd ""schema"""."jobs" in this database'),
  })
  expect((await inspectJobTable(db.withPlugin(new CamelCasePlugin()), 'mailJobs')).table.name).toBe('mail_jobs')
})
