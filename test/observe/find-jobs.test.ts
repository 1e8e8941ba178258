import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import { cancelJobs, enqueue } from 'kysely-jobs'
import { addJobColumns, createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { expect, onTestFinished, test } from 'vitest'
import { countMatching } from '../../src/observe/count-matching.js'
import { parseFilter } from '../../src/observe/filter-text.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { worker } from '../queue/large-table.js'
import { createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, quietPool, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'

const database = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text').addColumn('payload', 'jsonb'), {
    columns: ['priority', 'max_attempts', 'started_at', 'finished_at'],
    archive: {},
  }),
)
const { db, url } = database

test('a job is told with its state, its times, its last error and the columns that are asked for', async () => {
  const { id } = await enqueue(db, 'mail_jobs', {
    to: 'ada',
    payload: JSON.stringify({ a: 1 }),
    priority: 5,
    max_attempts: 9,
    run_at: '2026-01-02T03:04:05.678901Z',
  })
  await sql`update mail_jobs set last_error = 'Error: first line' || E'\n' || repeat('stack', 1000)`.execute(db)
  const view = await jobView(db, 'mail_jobs')
  const { jobs } = await findJobs(db, view, { columns: ['payload', 'to', 'id', 'run_at'] })
  expect(jobs).toEqual([
    {
      ...{
        id,
        key: null,
        isArchived: false,
        status: 'job_status_not_started',
        state: 'due',
        attempts: 0,
        maxAttempts: 9,
        priority: 5,
      },
      ...{
        createdAt: expect.stringMatching(/^20.*\+00:00$/),
        updatedAt: expect.any(String),
        runAt: '2026-01-02T03:04:05.678901+00:00',
      },
      ...{ lockedAt: null, startedAt: null, finishedAt: null, worker: null, interruptions: 0 },
      error: { text: 'Error: first line', isCut: false },
      values: new Map([
        ['payload', { text: '{"a": 1}', isCut: false }],
        ['to', { text: 'ada', isCut: false }],
        ['id', { text: id, isCut: false }],
        ['run_at', { text: '2026-01-02 03:04:05.678901+00', isCut: false }],
      ]),
    },
  ])
  expect([...((await findJobs(db, view)).jobs[0]?.values.keys() ?? [])]).toEqual(['to', 'payload'])
  await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1, columns: ['started_at'] })
  expect((await findJobs(db, view)).jobs[0]).toMatchObject({
    state: 'running',
    attempts: 1,
    worker,
    startedAt: expect.any(String),
    lockedAt: expect.any(String),
  })
  await cancelJobs(db, 'mail_jobs', { ids: [id] }, { finished: 'archive' })
  expect((await findJobs(db, view)).jobs[0]).toMatchObject({
    state: 'cancelled',
    isArchived: true,
    error: { text: 'Cancelled: on request' },
  })
  await enqueue(db, 'mail_jobs', { run_at: 'infinity' })
  expect((await findJobs(db, view)).jobs[0]).toMatchObject({ state: 'scheduled', runAt: 'infinity' })
})

test('of large values the beginning is read, and none of them travels whole', async () => {
  await createJobTable(db, 'large_jobs', (table) => table.addColumn('payload', 'jsonb').addColumn('note', 'text'))
  await sql`insert into large_jobs (payload, note, last_error) select jsonb_build_object('x', repeat('🧾', 300000)), repeat('ä', 201), repeat('e', 1000000) from generate_series(1, 3)`.execute(
    db,
  )
  let most = 0
  const listened = quietPool({ connectionString: url })
  listened.on('connect', (client) =>
    Reflect.get(client, 'connection').stream.on('data', (data: Buffer) => (most += data.length)),
  )
  const handle = new Kysely<any>({ dialect: new PostgresDialect({ pool: listened }) })
  onTestFinished(() => handle.destroy())
  const { jobs } = await findJobs(handle, await jobView(handle, 'large_jobs'))
  expect(jobs[0]?.values.get('note')).toEqual({ text: 'ä'.repeat(200), isCut: true })
  expect(jobs[0]?.values.get('payload')).toEqual({ text: `{"x": "${'🧾'.repeat(193)}`, isCut: true })
  expect(jobs[0]?.error).toEqual({ text: 'e'.repeat(200), isCut: true })
  expect(most).toBeLessThan(30_000)
})

test('foreign keys have the names of the rows that they point to, by one look-up for each table', async () => {
  await sql`
    create table people (id int primary key, name text);
    create table teams (id uuid primary key default gen_random_uuid(), title text);
    create table secrets (id int primary key, name text)`.execute(db)
  await createJobTable(db, 'tied_jobs', (table) =>
    table
      .addColumn('owner', 'integer', (column) => column.references('people.id'))
      .addColumn('editor', 'integer', (column) => column.references('people.id'))
      .addColumn('team', 'uuid', (column) => column.references('teams.id'))
      .addColumn('secret', 'integer', (column) => column.references('secrets.id')),
  )
  await sql`insert into people values (1, 'Ada'), (2, 'Bob'), (3, null); insert into secrets values (1, 'x');
    insert into teams (title) values ('Post');
    insert into tied_jobs (owner, editor, team, secret, run_at) select n, 2, id, 1, now() + n * interval '1 h' from teams, generate_series(1, 3) n;
    insert into tied_jobs default values`.execute(db)
  const role = await createRole(database)
  await sql.raw(`grant select on tied_jobs, people, teams to ${role}`).execute(db)
  const reader = handleAs(database, role)
  const view = await jobView(reader, 'tied_jobs')
  const labelsOf = async () =>
    (await findJobs(reader, view)).jobs.map(({ values }) =>
      ['owner', 'editor', 'team', 'secret'].map((name) => values.get(name)?.label),
    )
  expect(await labelsOf()).toEqual([
    [undefined, undefined, undefined, undefined],
    ['Ada', 'Bob', 'Post', undefined],
    ['Bob', 'Bob', 'Post', undefined],
    [undefined, 'Bob', 'Post', undefined],
  ])
  // A role that loses the right since still has its list, in a transaction of its own too.
  await sql.raw(`revoke select on people from ${role}`).execute(db)
  expect((await labelsOf())[1]).toEqual([undefined, undefined, 'Post', undefined])
  await reader.transaction().execute(async (trx) => {
    expect((await findJobs(jobsOf(trx, 'tied_jobs').db, view)).jobs).toHaveLength(4)
    await sql`select 1`.execute(trx)
  })
})

test('a transaction that a list is read in goes on as it was, also after a refusal', async () => {
  const view = await jobView(db, 'mail_jobs')
  await db.transaction().execute(async (trx) => {
    await sql`set local timezone = 'Asia/Tokyo'`.execute(trx)
    const inside = jobsOf(trx, 'mail_jobs').db
    await findJobs(inside, view)
    await expect(findJobs(inside, view, { after: 'x' })).rejects.toMatchObject({ code: 'CURSOR' })
    await expect(findJobs(inside, view, { sort: { column: 'payload' } })).rejects.toMatchObject({ code: 'FILTER' })
    const { rows } = await sql<{
      zone: string
      sort: string
    }>`select current_setting('timezone') as zone, current_setting('enable_sort') as sort`.execute(trx)
    expect(rows).toEqual([{ zone: 'Asia/Tokyo', sort: 'on' }])
  })
})

test.each([0, 101, 1.5, Number.NaN])('%s jobs are no page', async (limit) => {
  await expect(findJobs(db, await jobView(db, 'mail_jobs'), { limit })).rejects.toThrow('give 1 to 100')
})

test('lists serve whatever tables there are', async () => {
  await sql`create schema "Billing 2"; create type mood as enum ('sad', 'fine'); create domain positive as int not null check (value > 0)`.execute(
    db,
  )
  const billing = db.withSchema('Billing 2')
  await createJobTable(
    billing,
    'Order Jobs',
    (table) => table.addColumn('Weird "col', 'text').addColumn('job', 'text'),
    { id: 'text' },
  )
  await billing
    .insertInto('Order Jobs')
    .values([
      { id: 'a', 'Weird "col': 'x' },
      { id: "b'; --", 'Weird "col': 'y' },
    ] as any)
    .execute()
  const odd = await findJobs(billing, await jobView(billing, 'Order Jobs'), {
    sort: { column: 'Weird "col', descending: true },
  })
  expect(odd.jobs.map(({ id, values }) => [id, values.get('Weird "col')?.text])).toEqual([
    ["b'; --", 'y'],
    ['a', 'x'],
  ])

  await createJobTable(db, 'job', (table) =>
    Array.from({ length: 200 }).reduce<any>((all, _, n) => all.addColumn(`c${n}`, 'text'), table),
  )
  await enqueue(db, 'job', { c0: 'first', c199: 'last' })
  const wide = await jobView(db, 'job')
  const { jobs } = await findJobs(db, wide, {
    columns: wide.columns.map(({ name }) => name),
    filters: [parseFilter(wide, 'c199=last')],
  })
  expect([jobs[0]?.values.size, jobs[0]?.values.get('c0')?.text, jobs[0]?.values.get('c199')?.text]).toEqual([
    209,
    'first',
    'last',
  ])

  await sql`create table parted_jobs (id int not null, created_at timestamptz not null, n positive, primary key (id, created_at)) partition by range (created_at);
    create table parted_old partition of parted_jobs for values from (minvalue) to ('2026-01-01');
    create table parted_new partition of parted_jobs for values from ('2026-01-01') to (maxvalue)`.execute(db)
  await addJobColumns(db, 'parted_jobs')
  await sql`insert into parted_jobs (id, created_at, n) values (1, '2025-01-01', 1), (1, '2027-01-01', 2), (2, '2026-06-01', 3)`.execute(
    db,
  )
  const parted = await jobView(db, 'parted_jobs')
  const first = await findJobs(db, parted, { limit: 1, sort: { column: 'id' } })
  const rest = await findJobs(db, parted, { sort: { column: 'id' }, after: first.next })
  expect([...first.jobs, ...rest.jobs].map(({ values }) => values.get('n')?.text)).toEqual(['1', '2', '3'])
  expect(new Set([...first.jobs, ...rest.jobs].map(({ key }) => key)).size).toBe(3)

  await createJobTable(
    db,
    'mixed_jobs',
    (table) => table.addColumn('mood', sql`mood`).addColumn('amount', sql`positive`).addColumn('tags', sql`text[]`),
    { archive: {} },
  )
  await sql`alter table mixed_jobs add late positive default 7; insert into mixed_jobs (mood, amount, tags) values ('fine', 1, '{a}');
    insert into mixed_jobs_archive (id, status, attempts_count, created_at, updated_at, run_at, amount) values (gen_random_uuid(), 'job_status_failed', 1, now(), now(), now(), 2)`.execute(
    db,
  )
  const mixed = await findJobs(db, await jobView(db, 'mixed_jobs'), { sort: { column: 'mood' } })
  expect(
    mixed.jobs.map(({ isArchived, values }) => [isArchived, ...[...values.values()].map(({ text }) => text)]),
  ).toEqual([
    [false, 'fine', '1', '{a}', '7'],
    [true, null, '2', null, null],
  ])

  await using seed = await createTestDatabase({ plugins: [new CamelCasePlugin()] })
  await createIhpTable(seed.db)
  await sql`insert into send_mail_jobs (recipient, status) values ('ada', 'job_status_failed'), ('bob', 'job_status_not_started')`.execute(
    seed.db,
  )
  const ihp = await jobView(seed.db, 'sendMailJobs')
  expect((await findJobs(seed.db, ihp)).jobs.map(({ state }) => state)).toEqual(['due', 'failed'])
  expect((await findJobs(seed.db, ihp, { states: ['cancelled'] })).jobs).toEqual([])
  expect((await findJobs(seed.db, ihp, { states: ['failed', 'cancelled'] })).jobs).toHaveLength(1)
})

test('with row-level security a role finds, and counts, its own jobs', async () => {
  await createJobTable(db, 'tenant_jobs', (table) => table.addColumn('tenant', 'text'))
  const role = await createRole(database)
  await sql
    .raw(`grant select on tenant_jobs to ${role}; alter table tenant_jobs enable row level security;
    create policy own on tenant_jobs to ${role} using (tenant = 'ada')`)
    .execute(db)
  await enqueue(db, 'tenant_jobs', [{ tenant: 'ada' }, { tenant: 'bob' }])
  const ada = handleAs(database, role)
  const view = await jobView(ada, 'tenant_jobs')
  expect((await findJobs(ada, view)).jobs).toHaveLength(1)
  expect(await countMatching(ada, view, shownStates)).toEqual({ count: 1, isAll: true, at: 10_000 })
})

test('what matches is counted as a list finds it, exactly while it is all looked at', async () => {
  const view = await jobView(db, 'mail_jobs')
  await sql`truncate mail_jobs, mail_jobs_archive`.execute(db)
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'ada' }, { to: 'bob', run_at: 'infinity' }])
  const failed = await enqueue(db, 'mail_jobs', { to: 'ada' })
  await cancelJobs(db, 'mail_jobs', { ids: [failed.id] }, { finished: 'archive' })
  const ofAda = [parseFilter(view, 'to=ada')]
  expect(await countMatching(db, view, shownStates, ofAda)).toEqual({ count: 3, isAll: true, at: 10_000 })
  expect((await countMatching(db, view, ['due', 'cancelled'], ofAda)).count).toBe(3)
  expect((await countMatching(db, view, ['scheduled'])).count).toBe(1)
  expect((await countMatching(db, view, ['scheduled'], ofAda)).count).toBe(0)
  await expect(
    countMatching(db, view, shownStates, [{ column: 'nobody', operator: '=', values: ['1'] }]),
  ).rejects.toMatchObject({ code: 'FILTER' })
  await sql`insert into mail_jobs ("to", run_at) select 'ada', now() from generate_series(1, 25000)`.execute(db)
  expect(await countMatching(db, view, ['due'])).toEqual({ count: 10_000, isAll: false, at: 10_000 })
  expect((await countMatching(db, view, ['due'], [parseFilter(view, 'to=bob')])).isAll).toBe(false)
})
