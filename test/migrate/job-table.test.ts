import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, inspectJobTable, jobStatuses } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { columnsOf, indexesOf, leftovers } from './catalog.js'

const { db } = await testDatabase()
const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'

/** Whether a job can be put in and taken out. */
async function serves(handle: Kysely<any>, table: string, values: object = {}): Promise<boolean> {
  const put = await enqueue(handle, table, values)
  const taken = await fetchNextJobs(handle, table, { worker, limit: 2 })
  return taken.length === 1 && taken[0]?.id === put.id
}

test('a job table has the nine columns of the seed, then those of its own', async () => {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text', (column) => column.notNull()))
  expect(await columnsOf(db, 'mail_jobs')).toEqual([
    expect.stringMatching(/^id uuid not null default (uuidv7|gen_random_uuid)\(\)$/),
    'created_at timestamp with time zone not null default now()',
    'updated_at timestamp with time zone not null default now()',
    "status job_status not null default 'job_status_not_started'::job_status",
    'last_error text',
    'attempts_count integer not null default 0',
    'locked_at timestamp with time zone',
    'locked_by uuid',
    'run_at timestamp with time zone not null default now()',
    'to text not null',
  ])
  expect(await indexesOf(db, 'mail_jobs')).toEqual([
    expect.stringContaining('job_failed_mail_jobs btree (status, updated_at) WHERE (status = ANY'),
    expect.stringContaining('job_finished_mail_jobs btree (updated_at) WHERE (status <> ALL'),
    expect.stringContaining('job_ready_mail_jobs btree (run_at) WHERE (status = ANY'),
    expect.stringContaining('job_running_mail_jobs btree (locked_by) WHERE (status = '),
    'CREATE UNIQUE INDEX mail_jobs_pkey btree (id)',
  ])
  const { rows } = await sql<{ options: string[] }>`
    select reloptions as options from pg_class where relname = 'mail_jobs'`.execute(db)
  expect(rows[0]?.options).toContain('fillfactor=85')
  expect(rows[0]?.options).toContain('autovacuum_vacuum_threshold=5000')
  expect((await inspectJobTable(db, 'mail_jobs')).advice).toEqual([])
  expect(await serves(db, 'mail_jobs', { to: 'ann' })).toBe(true)
})

const ids = ['uuid', 'bigint', 'int', 'text'] as const
const kinds = ids.flatMap((id) => [
  { id, status: 'enum' as const },
  { id, status: 'text' as const },
])

test.each(kinds)('the id can be of type $id beside a status that is $status', async ({ id, status }) => {
  const name = `${id}_and_${status}_jobs`
  await createJobTable(db, name, undefined, { id, status })
  expect((await inspectJobTable(db, name)).advice).toEqual([])
  expect(await serves(db, name, id === 'text' ? { id: 'first' } : {})).toBe(true)
})

test('the status can be text, which takes the seven statuses and nothing else', async () => {
  await createJobTable(db, 'text_status_jobs', undefined, { status: 'text' })
  for (const status of jobStatuses) await db.insertInto('text_status_jobs').values({ status }).execute()
  await expect(db.insertInto('text_status_jobs').values({ status: 'done' }).execute()).rejects.toThrow(
    'check constraint',
  )
  await db.deleteFrom('text_status_jobs').execute()
  expect(await serves(db, 'text_status_jobs')).toBe(true)
})

test('optional columns come with the table, priority leads the index of the fetch, and what is due has one of its own', async () => {
  await createJobTable(db, 'report_jobs', undefined, {
    columns: ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors'],
  })
  expect((await columnsOf(db, 'report_jobs')).slice(9)).toEqual([
    'priority smallint not null default 0',
    'max_attempts integer',
    'result jsonb',
    'started_at timestamp with time zone',
    'finished_at timestamp with time zone',
    'errors jsonb',
  ])
  expect(await indexesOf(db, 'report_jobs')).toContainEqual(
    expect.stringContaining('job_ready_report_jobs btree (priority DESC, run_at)'),
  )
  expect(await indexesOf(db, 'report_jobs')).toContainEqual(
    expect.stringMatching(/job_due_report_jobs btree \({2,3}run_at AT TIME ZONE 'UTC'::text\){2,3} /),
  )
  expect((await inspectJobTable(db, 'report_jobs')).advice).toEqual([])
})

test('down leaves nothing behind', async () => {
  await using other = await createTestDatabase()
  await sql`create schema billing`.execute(other.db)
  const tables = ['jobs', 'billing.jobs', 'My "odd" jobs; drop table users --', 'aufträge 🧾', 'order']
  for (const table of tables) await createJobTable(other.db, table)
  await createJobTable(other.db, 'text_jobs', undefined, { status: 'text', id: 'bigint' })
  for (const table of [...tables, 'text_jobs']) await dropJobTable(other.db, table)
  expect(await leftovers(other.db)).toEqual([])
})

test('two job tables share the enum, and the last one takes it along', async () => {
  await using other = await createTestDatabase()
  await createJobTable(other.db, 'first_jobs')
  await createJobTable(other.db, 'second_jobs')
  await dropJobTable(other.db, 'first_jobs')
  expect(await leftovers(other.db)).toContain('type job_status')
  expect(await serves(other.db, 'second_jobs')).toBe(true)
  await dropJobTable(other.db, 'second_jobs')
  expect(await leftovers(other.db)).toEqual([])
})

test('two migrations at once make two tables and one enum', async () => {
  await using other = await createTestDatabase()
  const names = ['a_jobs', 'b_jobs', 'c_jobs', 'd_jobs']
  await Promise.all(names.map((name) => createJobTable(other.db, name)))
  for (const name of names) expect(await serves(other.db, name)).toBe(true)
  expect((await leftovers(other.db)).filter((each) => each.startsWith('type'))).toEqual(['type job_status'])
})

test("an IHP enum of six values serves, one that can't hold every status does not", async () => {
  await using other = await createTestDatabase()
  const six = jobStatuses.filter((status) => status !== 'job_status_cancelled')
  await other.db.schema.createType('job_status').asEnum(six).execute()
  await createJobTable(other.db, 'ihp_jobs')
  expect((await inspectJobTable(other.db, 'ihp_jobs')).holdsCancelled).toBe(false)
  await sql`create schema odd; create type odd.job_status as enum ('new'); drop table ihp_jobs; drop type job_status`.execute(
    other.db,
  )
  await expect(createJobTable(other.db, 'odd.jobs')).rejects.toMatchObject({
    code: 'WRONG_STATUS_TYPE',
    message: expect.stringMatching(
      /^The type "odd"\."job_status" is there but lacks job_status_not_started, .*'text' }$/,
    ),
  })
})

test("all or nothing: a migration that fails leaves no table, type or function, nor does a rolled back one's", async () => {
  await using other = await createTestDatabase()
  const broken = createJobTable(other.db, 'jobs', (table) =>
    table.addColumn('user_id', 'uuid', (c) => c.references('users.id')),
  )
  await expect(broken).rejects.toThrow('relation "users" does not exist')
  const trx = await other.db.startTransaction().execute()
  await createJobTable(trx, 'jobs')
  await trx.rollback().execute()
  expect(await leftovers(other.db)).toEqual([])
})

test('a table of another schema is made and found by its full name and by withSchema', async () => {
  await using other = await createTestDatabase()
  await sql`create schema "Billing"`.execute(other.db)
  await createJobTable(other.db, 'Billing.jobs')
  await createJobTable(other.db.withSchema('Billing'), 'mail_jobs')
  expect(await serves(other.db, 'Billing.mail_jobs')).toBe(true)
  expect(await serves(other.db.withSchema('Billing'), 'jobs')).toBe(true)
  await dropJobTable(other.db.withSchema('Billing'), 'jobs')
  await dropJobTable(other.db, 'Billing.mail_jobs')
  await sql`drop schema "Billing"`.execute(other.db)
})

test('with CamelCasePlugin columns and table are named as its user names them', async () => {
  await using other = await createTestDatabase({ plugins: [new CamelCasePlugin()] })
  await createJobTable(other.db, 'sendMailJobs', (table) => table.addColumn('userId', 'text'), {
    columns: ['maxAttempts' as never],
  }).catch((error) => expect(error.message).toContain("columns: 'maxAttempts' is none of 'priority'"))
  await createJobTable(other.db, 'sendMailJobs', (table) => table.addColumn('userId', 'text'))
  const plain = other.db.withoutPlugins()
  expect(await columnsOf(plain, 'send_mail_jobs')).toContain('user_id text')
  expect(await serves(other.db, 'sendMailJobs', { userId: 'ann' })).toBe(true)
  await dropJobTable(other.db, 'sendMailJobs')
  expect(await leftovers(plain)).toEqual([])
})

test('a name of 63 bytes serves; a longer one would be cut, and is refused', async () => {
  const longest = `${'ä'.repeat(30)}abc`
  await createJobTable(db, longest)
  expect(await serves(db, longest)).toBe(true)
  const tooLong = `${longest}d`
  await expect(createJobTable(db, tooLong)).rejects.toMatchObject({
    code: 'INVALID_TABLE_NAME',
    message: `The name "${tooLong}" has 64 bytes; Postgres would silently cut it to 63, so that two tables may become one: choose a shorter name`,
  })
})

test.each(['', 'a.b.c', 'jobs\0', undefined])('%j is no table name', async (name) => {
  await expect(createJobTable(db, name as string)).rejects.toMatchObject({ code: 'INVALID_TABLE_NAME' })
})

test('an option that is unknown, or has a value it can not have, is refused with the choice', async () => {
  await expect(createJobTable(db, 'x', undefined, { id: 'serial' as never })).rejects.toThrow(
    "id: 'serial' is none of 'uuid', 'bigint', 'int', 'text'",
  )
  await expect(createJobTable(db, 'x', undefined, { ids: 'uuid' } as never)).rejects.toThrow(
    'There is no option "ids" here; there is id, status, columns, notify',
  )
  await expect(dropJobTable(db, 'nowhere')).rejects.toMatchObject({
    code: 'NO_SUCH_TABLE',
    message: expect.stringContaining('There is no table "nowhere" in this database'),
  })
})

test('options in the place of columns, and a builder that returns nothing, are refused', async () => {
  await expect(createJobTable(db, 'mixed_jobs', { columns: ['priority'] } as never)).rejects.toThrow(
    'The third argument adds columns: (table) => table.addColumn(...); options are the fourth',
  )
  const forgetful = (table: any) => {
    table.addColumn('to', 'text')
  }
  await expect(createJobTable(db, 'mixed_jobs', forgetful as never)).rejects.toThrow('returned nothing')
})

test('a table that is no job table is not dropped', async () => {
  await db.schema.createTable('precious').addColumn('id', 'integer').execute()
  await expect(dropJobTable(db, 'precious')).rejects.toMatchObject({ code: 'NOT_A_JOB_TABLE' })
  expect(await db.selectFrom('precious').selectAll().execute()).toEqual([])
})
