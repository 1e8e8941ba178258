import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import {
  addJobColumns,
  createJobArchive,
  createJobTable,
  dropJobArchive,
  dropJobColumns,
  dropJobTable,
  keepJobArchive,
} from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { columnsOf, leftovers } from './catalog.js'

const { db, url } = await testDatabase()

beforeEach(async () => {
  await sql`drop table if exists notes`.execute(db)
  await dropJobTable(db, 'jobs').catch(() => {})
  await createJobTable(db, 'jobs', (table) => table.addColumn('to', 'text', (column) => column.notNull()), {
    archive: { every: '1 day', keep: '30 days' },
  })
})

const day = 86_400_000

/** The partitions of an archive, each with its end as days from today on. */
async function partitions(table = 'jobs_archive'): Promise<(number | string)[]> {
  const { rows } = await sql<{ till: Date | null; bound: string }>`
    select pg_get_expr(relpartbound, c.oid) as bound, (regexp_match(pg_get_expr(relpartbound, c.oid), 'TO \\(''([^'']+)'))[1]::timestamptz as till
    from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = ${table}::regclass order by till nulls last`.execute(
    db,
  )
  const today = Math.floor(Date.now() / day) * day
  return rows.map(({ till, bound }) => (till === null ? bound : (till.getTime() - today) / day))
}

interface Kept {
  made: string[]
  dropped: string[]
  busy: boolean
  misplaced: number
}

async function keep(handle: Kysely<any> = db): Promise<Kept | null> {
  const { rows } = await sql<{ kept: Kept | null }>`select keep_job_archive_jobs() as kept`.execute(handle)
  return rows[0]?.kept ?? null
}

/** Jobs that ended so many days ago, put in by hand. */
async function ended(...ages: number[]): Promise<void> {
  for (const age of ages) {
    await sql`insert into jobs_archive (id, created_at, updated_at, status, attempts_count, run_at, "to")
      values (gen_random_uuid(), now(), now() - ${age} * interval '1 day', 'job_status_succeeded', 1, now(), ${`${age} days`})`.execute(
      db,
    )
  }
}

async function archivedFor(): Promise<string[]> {
  const { rows } = await sql<{ to: string; part: string }>`
    select "to", regexp_replace(tableoid::regclass::text, '.*_', '') as part from jobs_archive order by updated_at`.execute(
    db,
  )
  return rows.map(({ to, part }) => `${to}: ${part}`)
}

test('an archive has the columns of its table, a partition for all of before, one a day for the week to come, and a default one', async () => {
  const strip = (columns: string[]) => columns.map((column) => column.replace(/ default .*/, ''))
  expect(await columnsOf(db, 'jobs_archive')).toEqual(strip(await columnsOf(db, 'jobs')))
  expect(await partitions()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 'DEFAULT'])
  expect((await inspectJobTable(db, 'jobs')).archive).toMatchObject({
    table: { schema: 'public', name: 'jobs_archive' },
    mayKeep: true,
    flaw: undefined,
  })
  await ended(900, 0)
  expect(await archivedFor()).toEqual([
    expect.stringMatching(/^900 days: before$/),
    expect.stringMatching(/^0 days: \d{8}$/),
  ])
})

test('the view has the jobs of both', async () => {
  await enqueue(db, 'jobs', { to: 'ada' })
  await ended(1)
  const { rows } = await sql<{ to: string }>`select "to" from jobs_all order by "to"`.execute(db)
  expect(rows.map(({ to }) => to)).toEqual(['1 days', 'ada'])
})

test('partitions that are missing are made, and those whose jobs are all too old are dropped, a few at a time', async () => {
  await partitionsOfAge(50, 40, 35, 31, 30, 29)
  await ended(50, 29)
  const [, , , , , , , last] = await namesOfDays()
  await sql.raw(`drop table ${last}`).execute(db)
  expect(await keep()).toEqual({ made: [last], dropped: ['old_50', 'old_40', 'old_35'], busy: false, misplaced: 0 })
  expect(await keep()).toMatchObject({ made: [], dropped: ['old_31'] })
  expect(await keep()).toMatchObject({ made: [], dropped: [] })
  expect(await partitions()).toEqual([-29, -28, 1, 2, 3, 4, 5, 6, 7, 8, 'DEFAULT'])
  expect(await archivedFor()).toEqual(['29 days: 29'])
})

/** Partitions for days so many before this one, in place of the one for all of before. */
async function partitionsOfAge(...ages: number[]): Promise<void> {
  await sql`drop table jobs_archive_before`.execute(db)
  for (const age of ages) {
    const [from, till] = [age, age - 1].map((days) => new Date(Math.floor(Date.now() / day - days) * day).toISOString())
    await sql
      .raw(`create table old_${age} partition of jobs_archive for values from ('${from}') to ('${till}')`)
      .execute(db)
  }
}

async function namesOfDays(): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits join pg_class c on c.oid = inhrelid
    where inhparent = 'jobs_archive'::regclass and c.relname ~ '[0-9]$' order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

test('what ended while nobody made partitions is in the default one, and moves to its own when somebody does', async () => {
  for (const name of await namesOfDays()) await sql.raw(`drop table ${name}`).execute(db)
  await ended(0)
  expect(await archivedFor()).toEqual(['0 days: default'])
  expect(await keep()).toMatchObject({ misplaced: 0 })
  expect(await archivedFor()).toEqual([expect.stringMatching(/0 days: \d{8}/)])
  expect(await partitions()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 'DEFAULT'])
})

test('so many that to move them would hold up others stay there, are told, and are deleted when they are old', async () => {
  for (const name of await namesOfDays()) await sql.raw(`drop table ${name}`).execute(db)
  await sql`insert into jobs_archive (id, created_at, updated_at, status, attempts_count, run_at, "to")
    select gen_random_uuid(), now(), now(), 'job_status_succeeded', 1, now(), 'many' from generate_series(1, 10001)`.execute(
    db,
  )
  expect(await keep()).toMatchObject({ misplaced: 10_001 })
  expect(await partitions()).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 'DEFAULT'])
  await sql`drop table jobs_archive_before`.execute(db)
  await sql`update jobs_archive set updated_at = now() - interval '31 days'`.execute(db)
  expect(await keep()).toMatchObject({ misplaced: 1 })
  expect(await keep()).toMatchObject({ misplaced: 0 })
})

test('of many calls at a time one does it, the others do nothing, and wait for nobody', async () => {
  await db.transaction().execute(async (trx) => {
    expect(await keep(trx)).toMatchObject({ busy: false })
    expect(await keep()).toBe(null)
    await keepJobArchive(db, 'jobs')
  })
})

test('while a transaction has just completed a job, old jobs go at once, and their partition when it is over', async () => {
  await sql`drop table jobs_archive_before`.execute(db)
  await sql`create table old_1 partition of jobs_archive for values from ('2020-01-01') to ('2020-01-02')`.execute(db)
  await sql`insert into old_1 (id, created_at, updated_at, status, attempts_count, run_at, "to")
    values (gen_random_uuid(), now(), '2020-01-01', 'job_status_succeeded', 1, now(), 'old')`.execute(db)
  await db.transaction().execute(async (trx) => {
    await sql`insert into jobs_archive (id, created_at, updated_at, status, attempts_count, run_at, "to")
      values (gen_random_uuid(), now(), now(), 'job_status_succeeded', 1, now(), 'new')`.execute(trx)
    expect(await keep()).toMatchObject({ dropped: [], busy: true })
  })
  expect(await archivedFor()).toEqual([expect.stringMatching(/^new/)])
  expect(await keep()).toMatchObject({ dropped: ['old_1'], busy: false })
})

test('called again, it takes other times for partitions to come, and gives the archive the columns that are new', async () => {
  await addJobColumns(db, 'jobs', { columns: ['priority'] })
  await sql`alter table jobs add column note varchar(7)`.execute(db)
  await createJobArchive(db, 'jobs', { every: '12 hours', keep: '2 weeks' })
  expect((await columnsOf(db, 'jobs_archive')).slice(-2)).toEqual(['priority smallint', 'note character varying(7)'])
  await ended(15)
  expect(await partitions()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 'DEFAULT'])
  expect((await inspectJobTable(db, 'jobs')).archive?.flaw).toBe(undefined)
  const { rows } = await sql`select note, priority from jobs_all`.execute(db)
  expect(rows).toHaveLength(1)
})

test('called again without times, it keeps what it kept, and drops nothing', async () => {
  await createJobArchive(db, 'jobs', { keep: '200 days' })
  await partitionsOfAge(150)
  await ended(150)
  await createJobArchive(db, 'jobs')
  await createJobArchive(db, 'jobs', { every: '12 hours' })
  expect((await sql`select from jobs_archive`.execute(db)).rows).toHaveLength(1)
  await createJobArchive(db, 'jobs', { keep: '100 days' })
  expect((await sql`select from jobs_archive`.execute(db)).rows).toEqual([])
})

test('columns that are called like what the function has inside disturb nothing', async () => {
  const names = ['every', 'keep', 'made', 'dropped', 'busy', 'misplaced', 'edge', 'part', 'found', 'p', 'till', 'name']
  for (const name of names) await sql`alter table jobs add column ${sql.ref(name)} text`.execute(db)
  await createJobArchive(db, 'jobs', { every: '12 hours' })
  for (const name of await namesOfDays()) await sql.raw(`drop table ${name}`).execute(db)
  await partitionsOfAge(40)
  await ended(40, 0)
  expect(await keep()).toMatchObject({ dropped: ['old_40'], busy: false, misplaced: 0 })
})

test.each([
  [
    'no action',
    `create table notes (job uuid constraint note_job references jobs)`,
    /note_job on notes \(it would hold each job back\)/,
  ],
  [
    'cascade',
    `create table notes (job uuid constraint note_job references jobs on delete cascade)`,
    /note_job on notes \(on delete cascade: its rows would be deleted\)/,
  ],
  [
    'set null',
    `create table notes (job uuid constraint note_job references jobs on delete set null)`,
    /set null: its rows would be untied/,
  ],
])(
  'a table that others reference (%s) has an archive only where that is said, or not at all',
  async (action, ddl, message) => {
    await dropJobArchive(db, 'jobs')
    await sql.raw(ddl).execute(db)
    const error = await createJobArchive(db, 'jobs').catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'NO_ARCHIVE', message: expect.stringMatching(message) })
    const followed = createJobArchive(db, 'jobs', { references: 'follow' })
    await (action === 'no action' ? expect(followed).rejects.toThrow(message) : followed)
  },
)

test('a table of that name that is no archive of ours is left alone', async () => {
  await sql`create table others_archive (id int)`.execute(db)
  const made = createJobTable(db, 'others', undefined, { archive: {} })
  await expect(made).rejects.toThrow('"public"."others_archive" is there, and no archive that createJobArchive made')
  const { rows } = await sql`select to_regclass('others') as made`.execute(db)
  expect(rows).toEqual([{ made: null }])
})

test.each([
  [{ every: '1 minute' }, /every/],
  [{ every: 1000 }, /every: 1000 is too short; give at least '1 hour'/],
  [{ every: '1 day', keep: '1 hour' }, /keep: 1 hour is invalid beside every: 1 day/],
  [{ every: '1 hour', keep: '1 year' }, /keep/],
  [{ every: '1 hour', keep: '52 weeks' }, /at most 1000 times/],
  [{ kept: '1 day' }, /There is no option "kept" here; there is every, keep, references/],
  [{ references: 'cascade' }, /references: 'cascade' is none of 'follow'/],
])('the times %j are refused', async (options, message) => {
  await expect(createJobArchive(db, 'jobs', options as object)).rejects.toThrow(message)
})

test('an archive is dropped alone, or with its table, and nothing is left of it', async () => {
  await dropJobArchive(db, 'jobs')
  expect((await inspectJobTable(db, 'jobs')).archive).toBe(undefined)
  await createJobArchive(db, 'jobs')
  await dropJobTable(db, 'jobs')
  await sql`drop table if exists others_archive`.execute(db)
  expect(await leftovers(db)).toEqual([])
})

test('who may not own tables has it done by the function, where that is granted', async () => {
  const role = `keeper_${process.pid}`
  await sql.raw(`create role ${role} login`).execute(db)
  onTestFinished(() =>
    sql
      .raw(`drop owned by ${role}; drop role ${role}`)
      .execute(db)
      .then(() => {}),
  )
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(`set role ${role}`)
  const call = () => client.query('select keep_job_archive_jobs() as kept')
  await expect(call()).rejects.toMatchObject({ code: '42501' })
  await sql.raw(`grant execute on function keep_job_archive_jobs to ${role}`).execute(db)
  const [last] = (await namesOfDays()).slice(-1)
  await sql.raw(`drop table ${last}`).execute(db)
  expect((await call()).rows).toMatchObject([{ kept: { made: [last] } }])
})

test('of a table with row-level security the archive has it too, and each partition: nobody reads there what they may not read here', async () => {
  await createJobTable(db, 'secret_jobs', undefined, { archive: {} })
  await sql`alter table secret_jobs enable row level security`.execute(db)
  await createJobArchive(db, 'secret_jobs')
  const { rows: partitions } = await sql<{ name: string }>`
    select relid::regclass::text as name from pg_partition_tree('secret_jobs_archive')`.execute(db)
  const last = partitions
    .map(({ name }) => name)
    .filter((name) => /\d{8}$/.test(name))
    .sort()
    .at(-1)
  await sql.raw(`drop table ${last}`).execute(db)
  await keepJobArchive(db, 'secret_jobs')
  const { rows } = await sql`select relid::regclass::text as name from pg_partition_tree('secret_jobs_archive')
    where not (select relrowsecurity from pg_class where oid = relid)`.execute(db)
  expect(partitions).toHaveLength(11)
  expect(rows).toEqual([])
  await dropJobTable(db, 'secret_jobs')
})

test('the view keeps its grants and what depends on it, also where columns are added', async () => {
  const role = `viewer_${process.pid}`
  await sql.raw(`create role ${role}`).execute(db)
  const dropRole = `drop owned by ${role}; drop role ${role}`
  onTestFinished(() =>
    sql
      .raw(dropRole)
      .execute(db)
      .then(() => {}),
  )
  await sql.raw(`grant select on jobs_all to ${role}; create view recent_jobs as select id from jobs_all`).execute(db)
  onTestFinished(() => sql`drop view recent_jobs`.execute(db).then(() => {}))
  await addJobColumns(db, 'jobs', { columns: ['priority'] })
  await createJobArchive(db, 'jobs')
  expect((await sql`select priority from jobs_all`.execute(db)).rows).toEqual([])
  const may = sql`select has_table_privilege(${role}, 'jobs_all', 'select') as may`
  expect((await may.execute(db)).rows).toEqual([{ may: true }])
})

test('where a column is renamed or gone the view is made anew', async () => {
  await sql`alter table jobs add column note text, add column other text`.execute(db)
  await createJobArchive(db, 'jobs')
  await sql`alter table jobs rename note to remark`.execute(db)
  await createJobArchive(db, 'jobs')
  await sql`drop view jobs_all`.execute(db)
  await sql`alter table jobs drop column other`.execute(db)
  await createJobArchive(db, 'jobs')
  expect((await columnsOf(db, 'jobs_all')).slice(-1)).toEqual(['remark text'])
})

test("a view of that name that is the user's is left alone", async () => {
  await dropJobArchive(db, 'jobs')
  await sql`create view jobs_all as select 7 as mine`.execute(db)
  onTestFinished(() => sql`drop view jobs_all`.execute(db).then(() => {}))
  await expect(createJobArchive(db, 'jobs')).rejects.toThrow(
    '"public"."jobs_all" is there, and no view that createJobArchive made: rename it',
  )
  expect((await sql`select mine from jobs_all`.execute(db)).rows).toEqual([{ mine: 7 }])
})

test('a time that is given is judged beside the one that is there', async () => {
  await createJobArchive(db, 'jobs', { every: '6 hours' })
  await createJobArchive(db, 'jobs', { keep: '12 hours' })
  await expect(createJobArchive(db, 'jobs', { every: '1 day' })).rejects.toThrow(
    'keep: 12 hours (as it is) is invalid beside every: 1 day',
  )
})

test('the columns of a job table are not dropped while there is an archive of them', async () => {
  await expect(dropJobColumns(db, 'jobs')).rejects.toMatchObject({
    code: 'NO_ARCHIVE',
    message: expect.stringContaining('"public"."jobs" has an archive: dropJobArchive drops it first'),
  })
})
