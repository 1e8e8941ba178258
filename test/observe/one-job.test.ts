import { CamelCasePlugin, sql } from 'kysely'
import { cancelJobs, enqueue } from 'kysely-jobs'
import { addJobColumns, createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, rescue, settle } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { duplicateJob, editJob } from '../../src/observe/change-job.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { oneJob } from '../../src/observe/one-job.js'
import { jobView } from '../../src/observe/view.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { worker } from '../queue/large-table.js'
import { createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'

const database = await testDatabase(async (handle) => {
  await sql`create domain email as text check (value like '%@%'); create type mood as enum ('sad', 'fine'); create table people (id int primary key, name text)`.execute(
    handle,
  )
  await createJobTable(
    handle,
    'mail_jobs',
    (table) =>
      table
        .addColumn('to', sql`email`)
        .addColumn('short', 'varchar(3)')
        .addColumn('amount', 'integer', (column) => column.check(sql`amount > 0`))
        .addColumn('code', 'text', (column) => column.unique())
        .addColumn('must', 'text', (column) => column.notNull().defaultTo('x'))
        .addColumn('mood', sql`mood`)
        .addColumn('person', 'integer', (column) => column.references('people.id'))
        .addColumn('number', 'serial')
        .addColumn('double', 'integer', (column) => column.generatedAlwaysAs(sql`amount * 2`).stored())
        .addColumn('at', 'timestamptz')
        .addColumn('payload', 'jsonb'),
    { columns: ['errors', 'started_at', 'finished_at', 'priority', 'max_attempts'], archive: {} },
  )
})
const { db } = database
const view = await jobView(db, 'mail_jobs')

test('a job is told with all its columns, each whole up to a megabyte', async () => {
  await sql`insert into people values (1, 'Ada')`.execute(db)
  const { id } = await enqueue(db, 'mail_jobs', {
    to: 'a@b',
    person: 1,
    payload: sql`jsonb_build_object('text', repeat('ä', 2000000))` as any,
    must: 'y'.repeat(1_048_576),
  })
  const job = await oneJob(db, view, { id })
  expect(job).toMatchObject({ id, state: 'due', isArchived: false, interruptions: 0 })
  expect([...(job?.values.keys() ?? [])]).toEqual(view.columns.map(({ name }) => name))
  expect(job?.values.get('to')).toEqual({ text: 'a@b', isCut: false })
  expect(job?.values.get('person')).toEqual({ text: '1', isCut: false, label: 'Ada' })
  expect(job?.values.get('must')).toEqual({ text: 'y'.repeat(1_048_576), isCut: false })
  const payload = job?.values.get('payload')
  expect([payload?.isCut, payload?.text?.length]).toEqual([true, 1_048_576])
  expect(await oneJob(db, view, { id, isArchived: true })).toBeUndefined()
  await sql`delete from mail_jobs where id = ${id}`.execute(db)
})

test.each(['00000000-0000-4000-8000-000000000000', 'abc', '', "'; drop table mail_jobs --", 'a\0b'])(
  'no job is called %j',
  async (id) => {
    expect(await oneJob(db, view, { id })).toBeUndefined()
    expect(await editJob(db, view, { id }, { short: 'x' })).toMatchObject({ refused: 'gone' })
    expect(await duplicateJob(db, view, { id })).toMatchObject({ refused: 'gone' })
  },
)

test('its attempts are a timeline, from its enqueuing to its end in the archive', async () => {
  const { id } = await enqueue(db, 'mail_jobs', {
    to: 'a@b',
    run_at: sql`now() - interval '1 h'` as any,
    max_attempts: 2,
  })
  const options = { worker, columns: ['errors', 'started_at', 'finished_at', 'max_attempts'] as any }
  const attempt = async (n: number) => {
    await sql`update mail_jobs set run_at = least(run_at, now()) where id = ${id}`.execute(db)
    await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1, columns: ['started_at'] })
    const running = await oneJob(db, view, { id })
    expect(running?.timeline.at(-1)).toEqual({ kind: 'locked', at: running?.lockedAt, attempt: n })
    expect(running?.timeline.map(({ kind }) => kind)).toContain('started')
    await settle(
      db,
      'mail_jobs',
      [{ id, attempt: n, kind: n === 2 ? 'failed' : 'retry', error: `Error ${n}\nstack`, delay: 0 } as any],
      options,
    )
  }
  await attempt(1)
  const retrying = await oneJob(db, view, { id })
  expect(retrying?.timeline.filter(({ kind }) => kind === 'failed')).toEqual([
    { kind: 'failed', attempt: 1, at: expect.any(String), error: 'Error 1\nstack' },
  ])
  await attempt(2)
  const failed = await oneJob(db, view, { id })
  expect(failed).toMatchObject({ state: 'failed', error: { text: 'Error 2', isCut: false } })
  expect(failed?.timeline.map(({ kind, attempt }) => [kind, attempt].join(' ').trim())).toEqual([
    'created',
    'failed 1',
    'due',
    'started 2',
    'failed 2',
    'ended',
  ])
  await sql`update mail_jobs set errors = '[3, null, {"error": {"a": 1}}]' where id = ${id}`.execute(db)
  expect((await oneJob(db, view, { id }))?.timeline.filter(({ kind }) => kind === 'failed')).toEqual([
    { kind: 'failed', at: null, error: '{"a":1}' },
  ])
  await sql`update mail_jobs set errors = '{}' where id = ${id}`.execute(db)
  expect((await oneJob(db, view, { id }))?.timeline.find(({ kind }) => kind === 'failed')).toMatchObject({
    attempt: 2,
    error: 'Error 2\nstack',
  })
})

test('an archived job is told from there, and what was interrupted says how often', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'a@b' })
  await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 })
  await sql`update mail_jobs set locked_at = now() - interval '2 h' where id = ${id}`.execute(db)
  await rescue(db, 'mail_jobs', { lease: '1h', maxAttempts: 10 })
  expect(await oneJob(db, view, { id })).toMatchObject({ state: 'due', interruptions: 1, lockedAt: null })
  await cancelJobs(db, 'mail_jobs', { ids: [id] }, { finished: 'archive' })
  expect(await oneJob(db, view, { id })).toMatchObject({
    isArchived: true,
    state: 'cancelled',
    timeline: expect.arrayContaining([expect.objectContaining({ kind: 'ended' })]),
  })
})

test('own columns are edited; the same goes for a job in the archive, where the archive has them', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'a@b', amount: 1 })
  expect(
    await editJob(
      db,
      view,
      { id },
      { to: 'c@d', amount: '7', mood: 'fine', payload: '{"a": 1}', at: '2026-01-02', short: null },
    ),
  ).toEqual({ job: { id, key: null, isArchived: false } })
  const { rows } =
    await sql<any>`select "to", amount, mood, payload, at = timestamptz '2026-01-02 00:00Z' as same, short, double from mail_jobs where id = ${id}`.execute(
      db,
    )
  expect(rows).toEqual([{ to: 'c@d', amount: 7, mood: 'fine', payload: { a: 1 }, same: true, short: null, double: 14 }])
  await cancelJobs(db, 'mail_jobs', { ids: [id] }, { finished: 'archive' })
  expect(await editJob(db, view, { id }, { amount: '8' })).toEqual({ job: { id, key: null, isArchived: true } })
  await sql`alter table mail_jobs add late text`.execute(db)
  expect(await editJob(db, await jobView(db, 'mail_jobs'), { id }, { late: 'x' })).toEqual({
    refused: 'values',
    message: expect.stringMatching(/"mail_jobs_archive" has no column late .*createJobArchive/),
  })
  await sql`alter table mail_jobs drop late`.execute(db)
})

test.each<[changes: Record<string, string | null>, message: string | RegExp]>([
  [{}, 'There is nothing to change'],
  [{ status: 'job_status_failed' }, 'status is written by the queue alone'],
  [{ run_at: '2026-01-01' }, 'run_at is written by the queue alone'],
  [{ priority: '1' }, 'priority is written by the queue alone'],
  [{ double: '2' }, 'double is generated: Postgres alone writes it'],
  [{ amuont: '2' }, 'There is no column amuont; did you mean amount?'],
  [{ amount: 'two' }, 'amount: "two" is no value of type integer; give a whole number'],
  [{ mood: 'glad' }, 'give one of sad, fine'],
  [{ must: 'a\0' }, 'a character that no text in Postgres can have'],
  [{ short: 'abcd' }, 'value too long for type character varying(3)'],
  [{ amount: '-1' }, 'new row for relation "mail_jobs" violates check constraint'],
  [{ must: null }, 'null value in column "must" of relation "mail_jobs" violates not-null constraint'],
  [{ to: 'nobody' }, 'value for domain email violates check constraint'],
  [{ person: '99' }, 'violates foreign key constraint'],
  [{ code: 'taken' }, 'duplicate key value violates unique constraint "mail_jobs_code_key"'],
  [{ payload: '{' }, 'invalid input syntax for type json'],
])('%j is refused, and why', async (changes, message) => {
  await sql`delete from mail_jobs; insert into mail_jobs (code, amount, payload) values ('taken', 1, '"secret of another"')`.execute(
    db,
  )
  const { id } = await enqueue(db, 'mail_jobs', { to: 'secret@b', amount: 1 })
  const refused = await editJob(db, view, { id }, changes)
  expect(refused).toEqual({ refused: 'values', message: expect.stringContaining(String(message)) })
  expect(JSON.stringify(refused)).not.toContain('secret')
  expect((await oneJob(db, view, { id }))?.values.get('to')?.text).toBe('secret@b')
  await db.transaction().execute(async (trx) => {
    expect(await editJob(jobsOf(trx, 'mail_jobs').db, view, { id }, changes)).toMatchObject({ refused: 'values' })
    await sql`select 1`.execute(trx) // which goes on
  })
})

test('a job that runs keeps what its handler has read, and one that a trigger guards what that says', async () => {
  await sql`delete from mail_jobs`.execute(db)
  const { id } = await enqueue(db, 'mail_jobs', { amount: 1 })
  await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 })
  expect(await editJob(db, view, { id }, { amount: '2' })).toEqual({
    refused: 'running',
    message: expect.stringContaining('cancel it first'),
  })
  await sql`update mail_jobs set status = 'job_status_failed', locked_by = null;
    create function guard() returns trigger language plpgsql as $$ begin raise exception 'not on Sundays'; end $$;
    create trigger guard before update on mail_jobs for each row execute function guard()`.execute(db)
  expect(await editJob(db, view, { id }, { amount: '2' })).toEqual({ refused: 'values', message: 'not on Sundays' })
  await sql`drop trigger guard on mail_jobs`.execute(db)
  expect((await oneJob(db, view, { id }))?.values.get('amount')?.text).toBe('1')
})

test('a duplicate is a new job with the same own columns, of one in the archive too', async () => {
  await sql`delete from mail_jobs`.execute(db)
  const { id, number } = await enqueue(db, 'mail_jobs', { to: 'a@b', amount: 3, priority: 9, payload: '{"a": [1]}' })
  await cancelJobs(db, 'mail_jobs', { ids: [id] }, { finished: 'archive' })
  const { job } = await duplicateJob(db, view, { id, isArchived: true })
  expect(job).toEqual({ id: expect.any(String), key: null, isArchived: false })
  const made = await oneJob(db, view, { id: job?.id ?? '' })
  expect(made).toMatchObject({ state: 'due', attempts: 0, priority: 0, error: { text: null } })
  expect(['to', 'amount', 'payload', 'double'].map((name) => made?.values.get(name)?.text)).toEqual([
    'a@b',
    '3',
    '{"a": [1]}',
    '6',
  ])
  expect(Number(made?.values.get('number')?.text)).toBeGreaterThan(number)
  await sql`update mail_jobs set code = 'one'`.execute(db)
  expect(await duplicateJob(db, view, { id: job?.id ?? '' })).toEqual({
    refused: 'values',
    message: 'duplicate key value violates unique constraint "mail_jobs_code_key"',
  })
})

test('jobs are told, edited and duplicated by their keys, in other schemas, with odd names, and of whatever table', async () => {
  await sql`create schema "Billing 2"`.execute(db)
  const billing = db.withSchema('Billing 2').withPlugin(new CamelCasePlugin())
  await sql`create table "Billing 2"."Order Jobs" (id int not null, created_at timestamptz not null default now(), "Weird ""col" text, primary key (id, created_at)) partition by range (created_at);
    create table "Billing 2".orders_old partition of "Billing 2"."Order Jobs" for values from (minvalue) to ('2026-01-01');
    create table "Billing 2".orders_new partition of "Billing 2"."Order Jobs" for values from ('2026-01-01') to (maxvalue)`.execute(
    db,
  )
  await addJobColumns(db.withSchema('Billing 2'), 'Order Jobs')
  await sql`insert into "Billing 2"."Order Jobs" (id, created_at, "Weird ""col") values (1, '2025-01-01', 'old'), (1, '2026-02-01', 'new')`.execute(
    db,
  )
  const orders = await jobView(db.withSchema('Billing 2'), 'Order Jobs')
  const { jobs } = await findJobs(db, orders, { sort: { column: 'created_at' } })
  for (const { id, key, values } of jobs) {
    const text = values.get('Weird "col')?.text
    expect((await oneJob(billing, orders, { id, key }))?.values.get('Weird "col')?.text).toBe(text)
    expect(await editJob(billing, orders, { id, key }, { 'Weird "col': `${text}er` })).toEqual({
      job: { id, key, isArchived: false },
    })
  }
  expect(
    (await sql`select "Weird ""col" as it from "Billing 2"."Order Jobs" order by created_at`.execute(db)).rows,
  ).toEqual([{ it: 'older' }, { it: 'newer' }])
  expect(await duplicateJob(billing, orders, { id: '1', key: jobs[0]?.key })).toMatchObject({
    refused: 'values',
    message: expect.stringContaining('null value in column "id"'),
  })

  await createJobTable(db, 'plain_jobs', undefined, { id: 'bigint' })
  const plain = await jobView(db, 'plain_jobs')
  const { id } = await enqueue(db, 'plain_jobs', {})
  expect((await duplicateJob(db, plain, { id })).job?.id).toBe(String(Number(id) + 1))

  await using seed = await createTestDatabase()
  await createIhpTable(seed.db)
  const ihp = await jobView(seed.db, 'send_mail_jobs')
  const { rows } = await sql<{
    id: string
  }>`insert into send_mail_jobs (recipient, status, last_error, attempts_count) values ('ada', 'job_status_failed', 'no', 3) returning id`.execute(
    seed.db,
  )
  const job = await oneJob(seed.db, ihp, { id: rows[0]?.id ?? '' })
  expect(job?.timeline.map(({ kind }) => kind).toSorted()).toEqual(['created', 'due', 'ended', 'failed'])
})

test('with row-level security a role sees, edits and duplicates its own jobs alone', async () => {
  await createJobTable(db, 'tenant_jobs', (table) => table.addColumn('tenant', 'text'))
  const role = await createRole(database)
  await sql
    .raw(`grant select, insert, update on tenant_jobs to ${role}; alter table tenant_jobs enable row level security;
    create policy own on tenant_jobs to ${role} using (tenant = 'ada')`)
    .execute(db)
  const [mine, theirs] = await enqueue(db, 'tenant_jobs', [{ tenant: 'ada' }, { tenant: 'bob' }])
  const ada = handleAs(database, role)
  const tenants = await jobView(ada, 'tenant_jobs')
  expect(await oneJob(ada, tenants, { id: theirs?.id })).toBeUndefined()
  expect(await editJob(ada, tenants, { id: theirs?.id }, { tenant: 'ada' })).toMatchObject({ refused: 'gone' })
  expect(await duplicateJob(ada, tenants, { id: theirs?.id })).toMatchObject({ refused: 'gone' })
  expect(await editJob(ada, tenants, { id: mine?.id }, { tenant: 'bob' })).toMatchObject({
    refused: 'values',
    message: expect.stringContaining('row-level security'),
  })
  expect(await duplicateJob(ada, tenants, { id: mine?.id })).toMatchObject({ job: { isArchived: false } })
})
