import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { addJobColumns, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { findJobs } from '../../src/observe/find-jobs.js'
import { hiding } from '../../src/observe/hideable.js'
import { jobView } from '../../src/observe/view.js'
import { createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'

const database = await testDatabase()
const { db } = database

const columnOf = async (table: string, name: string, handle = db) =>
  (await jobView(handle, table)).columns.find((column) => column.name === name)

test('a view has the columns in their order, each with what people have to know of it', async () => {
  await sql`
    create schema "My types";
    create type "My types".mood as enum ('sad', 'fine');
    create domain "My types".email as varchar(40) check (value like '%@%')`.execute(db)
  await createJobTable(
    db,
    'rich_jobs',
    (table) =>
      table
        .addColumn('label', 'varchar(36)', (column) => column.notNull())
        .addColumn('mood', sql`"My types".mood`)
        .addColumn('email', sql`"My types".email`)
        .addColumn('size', 'integer', (column) => column.defaultTo(3))
        .addColumn('double', 'integer', (column) => column.generatedAlwaysAs(sql`size * 2`).stored())
        .addColumn('place', sql`point`)
        .addColumn('period', 'tstzrange')
        .addColumn('tags', sql`text[]`)
        .addColumn('payload', 'jsonb')
        .addColumn('blob', 'bytea')
        .addColumn('day', 'date')
        .addColumn('is_vip', 'boolean'),
    { id: 'bigint' },
  )
  const { columns, key, places, statuses } = await jobView(db, 'rich_jobs')
  expect(columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    ...['id number', 'created_at timestamp', 'updated_at timestamp', 'status enum', 'last_error text'],
    ...['attempts_count number', 'locked_at timestamp', 'locked_by uuid', 'run_at timestamp'],
    ...['label text', 'mood enum', 'email text', 'size number', 'double number', 'place other', 'period other'],
    ...['tags array', 'payload json', 'blob bytes', 'day date', 'is_vip boolean'],
  ])
  expect(columns.find(({ name }) => name === 'label')).toEqual({
    name: 'label',
    type: 'character varying(36)',
    cast: '"pg_catalog"."varchar"',
    kind: 'text',
    labels: [],
    nullable: false,
    isOfQueue: false,
    isGenerated: false,
    hasDefault: false,
    isNumbered: false,
    isDomain: false,
    isOrdered: false,
    isIndexed: false,
    references: undefined,
    through: undefined,
  })
  const of = Object.fromEntries(columns.map((column) => [column.name, column]))
  expect(of.mood).toMatchObject({ type: '"My types".mood', labels: ['sad', 'fine'], nullable: true })
  expect(of.email).toMatchObject({ isDomain: true, cast: '"pg_catalog"."varchar"', type: '"My types".email' })
  expect(of.id).toMatchObject({
    isOfQueue: true,
    hasDefault: true,
    isGenerated: false,
    isNumbered: true,
    isIndexed: true,
  })
  expect([of.size, of.double]).toMatchObject([{ hasDefault: true, isGenerated: false }, { isGenerated: true }])
  expect([of.place, of.period]).toMatchObject([{ isOrdered: false }, { isOrdered: true }])
  expect({ key, places: places.length, statuses: statuses.length }).toEqual({ key: undefined, places: 1, statuses: 7 })
})

test('a foreign key leads to the column that says what a row is', async () => {
  await sql`
    create schema crm;
    create table crm.people (id int primary key, email text unique, name text, title text);
    create table teams (id uuid primary key, code text unique, note text);
    create table plain (id int primary key, note text);
    create table "Odd ""t" ("The id" bigint primary key, slug varchar(9), a int, b int, unique (a, b))`.execute(db)
  await createJobTable(db, 'tied_jobs', (table) =>
    table
      .addColumn('person', 'integer', (column) => column.references('crm.people.id'))
      .addColumn('team', 'uuid', (column) => column.references('teams.id'))
      .addColumn('plain_id', 'integer', (column) => column.references('plain.id'))
      .addColumn('odd', 'bigint')
      .addColumn('a', 'integer')
      .addColumn('b', 'integer'),
  )
  await sql`alter table tied_jobs add foreign key (odd) references "Odd ""t", add foreign key (a, b) references "Odd ""t" (a, b)`.execute(
    db,
  )
  const { columns } = await jobView(db, 'tied_jobs')
  expect(
    Object.fromEntries(columns.flatMap(({ name, references }) => (references ? [[name, references]] : []))),
  ).toMatchObject({
    person: { table: { schema: 'crm', name: 'people' }, column: 'id', type: 'pg_catalog.int4', label: 'name' },
    team: { table: { schema: 'public', name: 'teams' }, column: 'id', type: 'pg_catalog.uuid', label: 'code' },
    plain_id: { table: { schema: 'public', name: 'plain' }, column: 'id', type: 'pg_catalog.int4', label: undefined },
    odd: { table: { schema: 'public', name: 'Odd "t' }, column: 'The id', type: 'pg_catalog.int8', label: 'slug' },
  })
  const [person] = columns.flatMap(({ references }) => references ?? [])
  expect(person?.columns.map(({ name, kind }) => [name, kind])).toEqual([
    ['id', 'number'],
    ['email', 'text'],
    ['name', 'text'],
    ['title', 'text'],
  ])
  const role = await createRole(database)
  await sql
    .raw(
      `grant usage on schema crm to ${role}; grant select on tied_jobs, teams to ${role}; grant select (id) on crm.people to ${role}`,
    )
    .execute(db)
  const narrow = handleAs(database, role)
  expect((await columnOf('tied_jobs', 'person', narrow))?.references).toMatchObject({ column: 'id', label: undefined })
  expect((await columnOf('tied_jobs', 'team', narrow))?.references).toMatchObject({ label: 'code' })
  expect((await columnOf('tied_jobs', 'odd', narrow))?.references).toBeUndefined()
})

test('a view says which columns an index begins with, if it is valid', async () => {
  await createJobTable(db, 'sorted_jobs', (table) =>
    table.addColumn('tenant', 'integer').addColumn('code', 'text').addColumn('other', 'text'),
  )
  await sql`create index on sorted_jobs (tenant desc, other); create index broken on sorted_jobs (code)`.execute(db)
  await sql`update pg_index set indisvalid = false where indexrelid = 'broken'::regclass`.execute(db)
  const { columns } = await jobView(db, 'sorted_jobs')
  expect(columns.filter(({ isIndexed }) => isIndexed).map(({ name }) => name)).toEqual(
    ['id', 'status', 'updated_at', 'locked_by', 'run_at', 'tenant'].toSorted(
      (a, b) => columns.findIndex(({ name }) => name === a) - columns.findIndex(({ name }) => name === b),
    ),
  )
})

test('a view knows the archive, and which columns it has', async () => {
  await createJobTable(db, 'kept_jobs', (table) => table.addColumn('note', 'text'), { archive: {} })
  await sql`alter table kept_jobs add extra int, add late int; alter table kept_jobs_archive add late text`.execute(db)
  const { places } = await jobView(db, 'kept_jobs')
  expect(places.map(({ table, isArchive }) => [table.name, isArchive])).toEqual([
    ['kept_jobs', false],
    ['kept_jobs_archive', true],
  ])
  expect([places[0].columns.has('extra'), places[0].columns.has('late')]).toEqual([true, true])
  expect([...(places[1]?.columns ?? [])]).toContain('note')
  expect([places[1]?.columns.has('extra'), places[1]?.columns.has('late')]).toEqual([false, false])
  expect(places[1]?.indexes.map(({ names }) => names.join())).toEqual(['id', 'status,updated_at'])
})

test("tables that are a seed's, in another schema, oddly named, partitioned, or seen by CamelCasePlugin have views", async () => {
  await using seed = await createTestDatabase()
  await createIhpTable(seed.db)
  expect(await jobView(seed.db, 'send_mail_jobs')).toMatchObject({ key: undefined, statuses: { length: 6 } })
  await sql`create schema "Billing 2"`.execute(db)
  await createJobTable(db.withSchema('Billing 2'), 'Order Jobs', (table) => table.addColumn('Weird "col', 'text'))
  const view = await jobView(db.withSchema('Billing 2'), 'Order Jobs')
  expect(view.places[0].table).toEqual({ schema: 'Billing 2', name: 'Order Jobs' })
  expect(view.columns.at(-1)).toMatchObject({ name: 'Weird "col', kind: 'text' })
  await sql`create table parted_jobs (id uuid not null, created_at timestamptz not null, primary key (id, created_at)) partition by range (created_at);
    create table parted_all partition of parted_jobs default`.execute(db)
  await addJobColumns(db, 'parted_jobs')
  expect((await jobView(db, 'parted_jobs')).key).toMatch(/uuid_send\(id\)/)
  const camel = db.withPlugin(new CamelCasePlugin())
  expect((await jobView(camel, 'richJobs')).columns.map(({ name }) => name)).toContain('is_vip')
})

test('what is no job table is refused as workers refuse it', async () => {
  await sql`create view viewed as select * from rich_jobs; create table strange (id int primary key)`.execute(db)
  await expect(jobView(db, 'nowhere')).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
  await expect(jobView(db, 'strange')).rejects.toMatchObject({
    code: 'NOT_A_JOB_TABLE',
    message: expect.stringContaining('addJobColumns'),
  })
  await expect(jobView(db, 'viewed')).rejects.toMatchObject({ message: expect.stringContaining('it is a view') })
  await expect(jobView(db, 'kept_jobs_archive')).rejects.toMatchObject({ message: expect.stringContaining('archive') })
})

test('an archive that the role may not read is not looked at', async () => {
  await createJobTable(db, 'shy_jobs', (table) => table.addColumn('note', 'text'), { archive: {} })
  await sql`insert into shy_jobs (note, status) values ('a', 'job_status_failed')`.execute(db)
  const role = `looker_${crypto.randomUUID().replaceAll('-', '')}`
  await sql.raw(`create role ${role}; grant select on shy_jobs to ${role}`).execute(db)
  await db.transaction().execute(async (trx: Kysely<any>) => {
    await sql.raw(`set local role ${role}`).execute(trx)
    const shy = await jobView(trx, 'shy_jobs')
    expect(shy.places.map(({ isArchive }) => isArchive)).toEqual([false])
    expect((await findJobs(trx, shy)).jobs).toHaveLength(1)
  })
  await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(db)
  expect((await jobView(db, 'shy_jobs')).places).toHaveLength(2)
})

test('an index in another order than that of its column does not serve', async () => {
  await createJobTable(db, 'led_jobs', (table) =>
    ['a', 'b', 'c'].reduce((all, name) => all.addColumn(name, 'text'), table as any),
  )
  await sql`create index on led_jobs (a text_pattern_ops); create index on led_jobs (b collate "POSIX"); create index on led_jobs (c)`.execute(
    db,
  )
  const { columns } = await jobView(db, 'led_jobs')
  expect(columns.filter(({ isIndexed, isOfQueue }) => isIndexed && !isOfQueue).map(({ name }) => name)).toEqual(['c'])
})

test('where the key has a column that is hidden, jobs are told by their ids, and nothing of it', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await createJobTable(db, 'model', (table) => table.addColumn('region', 'text', (it) => it.notNull()))
  await sql`create table region_jobs (like model including defaults, primary key (id, region)) partition by list (region);
    create table region_jobs_eu partition of region_jobs for values in ('eu'); drop table model`.execute(db)
  await enqueue(db, 'region_jobs', { region: 'eu' })
  const whole = await jobView(db, 'region_jobs')
  const view = hiding(whole, new Set(['region']))
  const [job] = (await findJobs(db, view)).jobs
  expect([job?.key, [...(job?.values ?? [])]]).toEqual([null, []])
  expect((await findJobs(db, whole)).jobs[0]?.key).toEqual(expect.any(String))
})
