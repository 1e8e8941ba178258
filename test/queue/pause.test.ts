import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import {
  countJobs,
  createWorker,
  enqueue,
  JobKeyError,
  listLimits,
  listPauses,
  PauseOptionError,
  pauseJobs,
  resumeJobs,
} from 'kysely-jobs'
import { createJobPauses, createJobTable, dropJobPauses } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { pausesTable, sideComment } from '../../src/schema/side-table.js'
import { createTestDatabase, quietPool, testDatabase } from '../support/database.js'
import { quiet } from '../worker/mail-jobs.js'

const { db, url } = await testDatabase(async (db) => {
  await createJobPauses(db)
  await createJobTable(db, 'tenant_jobs', (table) =>
    table
      .addColumn('tenant_id', 'bigint')
      .addColumn('account', 'varchar(5)')
      .addColumn('code', 'char(3)')
      .addColumn('of', 'uuid')
      .addColumn('is_test', 'boolean'),
  )
})

beforeEach(() => sql`truncate tenant_jobs, job_pauses`.execute(db))

const id = '0192f0c4-0000-8000-8000-00000000000a'

test('what is paused is listed, with why, since when and until when', async () => {
  const until = new Date('2100-01-01T00:00:00Z')
  await pauseJobs(db, 'tenant_jobs', { reason: 'the mail server is away', until })
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 5 }, until: '1h' })
  const [table, key, ...others] = await listPauses(db, 'tenant_jobs')
  expect(table).toEqual({ where: undefined, reason: 'the mail server is away', until, since: expect.any(Date) })
  expect(key).toMatchObject({ where: { tenant_id: '5' }, reason: undefined })
  expect((key?.until?.getTime() ?? 0) - (key?.since.getTime() ?? 0)).toBe(3_600_000)
  expect(others).toEqual([])
  expect(await countJobs(db, 'tenant_jobs')).toMatchObject({ paused: true, pauses: [table, key] })
  await resumeJobs(db, 'tenant_jobs')
  expect(await countJobs(db, 'tenant_jobs')).toMatchObject({ paused: false, pauses: [key] })
})

test('to pause again changes why and until when; to resume tells whether anything was paused', async () => {
  expect(await resumeJobs(db, 'tenant_jobs')).toBe(false)
  await pauseJobs(db, 'tenant_jobs', { reason: 'one', until: '1h' })
  const [before] = await listPauses(db, 'tenant_jobs')
  await pauseJobs(db, 'tenant_jobs', { reason: 'other' })
  expect(await listPauses(db, 'tenant_jobs')).toEqual([{ ...before, reason: 'other', until: undefined }])
  expect(await resumeJobs(db, 'tenant_jobs', { where: { tenant_id: 5 } })).toBe(false)
  expect(await resumeJobs(db, 'tenant_jobs')).toBe(true)
  expect(await listPauses(db, 'tenant_jobs')).toEqual([])
})

test('a pause whose time has passed is none, begins anew when it is paused again, and is removed with the next', async () => {
  await pauseJobs(db, 'tenant_jobs', { until: '1h' })
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 5 }, until: '1h' })
  await sql`update job_pauses set until = now() - interval '1 s', paused_at = now() - interval '1 day'`.execute(db)
  expect(await listPauses(db, 'tenant_jobs')).toEqual([])
  expect(await countJobs(db, 'tenant_jobs')).toMatchObject({ paused: false, pauses: [] })
  await pauseJobs(db, 'tenant_jobs')
  const { rows } = await sql`select paused_at > now() - interval '1 hour' as "isNew" from job_pauses`.execute(db)
  expect(rows).toEqual([{ isNew: true }])
  await sql`update job_pauses set until = now() - interval '1 s'`.execute(db)
  expect(await resumeJobs(db, 'tenant_jobs')).toBe(false)
})

test('a key is one however its values and columns are written', async () => {
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 5, of: id.toUpperCase(), is_test: true } })
  await pauseJobs(db, 'tenant_jobs', { where: { is_test: 't', of: `{${id}}`, tenant_id: '05' } })
  await pauseJobs(db, 'tenant_jobs', { where: { of: id, tenant_id: 5n, is_test: 'yes' }, reason: 'last' })
  const where = { tenant_id: '5', of: id, is_test: 'true' }
  expect(await listPauses(db, 'tenant_jobs')).toMatchObject([{ where, reason: 'last' }])
})

const keys: [where: object, ofKey: object, others: object[]][] = [
  [{ tenant_id: 5 }, { tenant_id: 5 }, [{ tenant_id: 6 }, { tenant_id: null }]],
  [
    { tenant_id: 5, is_test: false },
    { tenant_id: 5, is_test: false },
    [{ tenant_id: 5 }, { tenant_id: 5, is_test: true }, { is_test: false }],
  ],
  [{ account: "a'\\b" }, { account: "a'\\b" }, [{ account: "a''b" }, { account: 'ab' }]],
  [{ account: 'abcdefgh' }, { tenant_id: 0, account: 'none' }, [{ account: 'abcde' }]],
  [{ code: 'ab' }, { code: 'ab' }, [{ code: 'abc' }, { code: 'a' }]],
  [{ of: id }, { of: id }, [{ of: '0192f0c4-0000-8000-8000-00000000000b' }]],
]

test.each(keys)('jobs that have all values of a paused key wait, and no others: %o', async (where, ofKey, others) => {
  await pauseJobs(db, 'tenant_jobs', { where })
  const isOfKey = !('account' in where && where.account === 'abcdefgh') // no value of that column is so long
  await enqueue(db, 'tenant_jobs', [...others, ...(isOfKey ? [ofKey] : [])])
  const done: unknown[] = []
  await using worker = createWorker(db, 'tenant_jobs', () => void done.push(1), { logger: quiet, pollInterval: '20ms' })
  const idle = new Promise((resolve) => worker.once('idle', resolve))
  await worker.start()
  await idle
  expect(done).toHaveLength(others.length)
  await resumeJobs(db, 'tenant_jobs', { where })
  await expect.poll(() => done).toHaveLength(others.length + (isOfKey ? 1 : 0))
})

const refused: [options: object, message: string][] = [
  [
    { where: {} },
    'where: an object is invalid; give columns and values, as in { tenant_id: 5 }, or leave it out for the whole table',
  ],
  [{ where: 5 }, 'where: 5 is invalid'],
  [{ where: null }, 'where: null is invalid'],
  [{ where: { tenant: 5 } }, "where: tenant_jobs has no column 'tenant'; there are id, "],
  [{ where: { status: 'job_status_retry' } }, "where: 'status' is the queue's; a key is of columns of your own"],
  [
    { where: { tenant_id: null } },
    'where.tenant_id: null is invalid; give a text of at most 500 characters, a number or a boolean',
  ],
  [{ where: { tenant_id: undefined } }, 'where.tenant_id: undefined is invalid'],
  [{ where: { tenant_id: Number.NaN } }, 'where.tenant_id: NaN is invalid'],
  [{ where: { account: 'a\0b' } }, 'where.account: the text of 3 characters is invalid'],
  [{ where: { account: 'x'.repeat(501) } }, 'where.account: the text of 501 characters is invalid'],
  [{ where: { tenant_id: 'ada' } }, 'where: Postgres refuses the key: invalid input syntax for type bigint: "ada"'],
  [{ reason: 5 }, 'reason: 5 is invalid; give a text'],
  [{ until: new Date(Number.NaN) }, 'until: the date is invalid'],
  [
    { until: new Date('2001-01-01T00:00:00Z') },
    'until: "2001-01-01T00:00:00.000Z" is over by the database\'s clock; give a later time, or call resumeJobs',
  ],
  [{ until: 0 }, 'until: 0 is over'],
  [{ untill: '1h' }, 'untill: no such option; there are where, reason, until'],
]

test.each(refused)('%o is refused, with the remedy, and pauses nothing', async (options, message) => {
  const pausing = pauseJobs(db, 'tenant_jobs', options as object)
  await expect(pausing).rejects.toThrow(message)
  const error = await pausing.catch((error: unknown) => error)
  expect([JobKeyError, PauseOptionError].some((kind) => error instanceof kind)).toBe(true)
  expect(await listPauses(db, 'tenant_jobs')).toEqual([])
})

test('an invalid duration, a table that is not there and one that is none are told as by every verb', async () => {
  await expect(pauseJobs(db, 'tenant_jobs', { until: 'soon' as never })).rejects.toMatchObject({
    code: 'INVALID_DURATION',
  })
  await expect(pauseJobs(db, 'no_jobs')).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
  await expect(pauseJobs(db, 'job_pauses')).rejects.toMatchObject({ code: 'NOT_A_JOB_TABLE' })
  await expect(resumeJobs(db, 'tenant_jobs', { until: 1 } as object)).rejects.toThrow(
    'until: no such option; there are where',
  )
})

test('who names no table is told so', async () => {
  const text = "The table is undefined; give the name of a job table, as in 'send_mail_jobs'"
  await expect(listPauses(db, undefined as never)).rejects.toThrow(text)
  await expect(listLimits(db, undefined as never)).rejects.toThrow(text)
})

test('without the table of pauses the error names the migration, and nothing is paused', async () => {
  await dropJobPauses(db)
  onTestFinished(() => createJobPauses(db))
  const text =
    'There is no table "job_pauses" in this database: let a migration call createJobPauses(db) of kysely-jobs/migrate'
  for (const verb of [pauseJobs, resumeJobs]) {
    await expect(verb(db, 'tenant_jobs')).rejects.toMatchObject({ code: 'NO_SIDE_TABLE', message: text })
  }
  expect(await listPauses(db, 'tenant_jobs')).toEqual([])
  expect(await countJobs(db, 'tenant_jobs')).toMatchObject({ paused: false, pauses: [] })
})

test('a table of pauses of a later package is refused, and another table of its name is left alone', async () => {
  await sql
    .raw(`comment on table job_pauses is '${sideComment({ ...pausesTable, version: 9, knownFrom: 9 })}'`)
    .execute(db)
  await expect(pauseJobs(db, 'tenant_jobs')).rejects.toThrow('install a later kysely-jobs')
  await dropJobPauses(db)
  await sql`create table job_pauses (id int)`.execute(db)
  await expect(createJobPauses(db)).rejects.toMatchObject({ code: 'SIDE_TABLE_TAKEN' })
  await expect(dropJobPauses(db)).rejects.toMatchObject({ code: 'SIDE_TABLE_TAKEN' })
  await sql`drop table job_pauses`.execute(db)
  await createJobPauses(db)
  await createJobPauses(db) // as it is
})

test.each(['mail', "it's", 'select', 'Über "jobs"', ' spaced '])(
  'through plugins, in another schema and under odd names: %s',
  async (name) => {
    await using odd = await createTestDatabase()
    await sql`create schema odd`.execute(odd.db)
    const inSchema = odd.db.withSchema('odd')
    await createJobPauses(inSchema)
    await createJobTable(inSchema, name, (table) => table.addColumn('tenant_id', 'integer').addColumn(name, 'text'))
    const pool = quietPool({ connectionString: odd.url })
    const plain = new Kysely<any>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
    onTestFinished(() => plain.destroy())
    const camel = plain.withSchema('odd')
    const isPlain = name === 'mail'
    const handle = isPlain ? camel : inSchema
    const where = isPlain ? { tenantId: 5 } : { tenant_id: 5, [name]: 'x' }
    await enqueue(handle, name, [where, isPlain ? { tenantId: 6 } : { tenant_id: 5, [name]: 'y' }])
    await pauseJobs(handle, name, { where })
    const real = isPlain ? { tenant_id: '5' } : { tenant_id: '5', [name]: 'x' }
    expect(await listPauses(handle, name)).toMatchObject([{ where: real }])
    const done: unknown[] = []
    const worker = createWorker(handle, name, () => void done.push(1), { logger: quiet, pollInterval: '20ms' })
    onTestFinished(() => worker.stop().then(() => {}))
    const idle = new Promise((resolve) => worker.once('idle', resolve))
    await worker.start()
    await idle
    expect(done).toHaveLength(1)
    expect(await resumeJobs(handle, name, { where })).toBe(true)
    await expect.poll(() => done).toHaveLength(2)
    await worker.stop()
  },
)

test('a key of a column that the table has lost is of no job: workers say so once, and work', async () => {
  await createJobTable(db, 'lost_jobs', (table) => table.addColumn('tenant_id', 'integer'))
  await enqueue(db, 'lost_jobs', [{ tenant_id: 5 }])
  await pauseJobs(db, 'lost_jobs', { where: { tenant_id: 5 } })
  await sql`alter table lost_jobs rename tenant_id to of_tenant`.execute(db)
  const errors: unknown[] = []
  await using worker = createWorker(db, 'lost_jobs', () => {}, { logger: quiet, listen: url })
  worker.on('error', ({ error }) => errors.push(error))
  const succeeded = new Promise((resolve) => worker.once('succeeded', resolve))
  await worker.start()
  await succeeded
  expect(errors).toMatchObject([{ code: 'PAUSE_UNFIT', message: expect.stringContaining("'tenant_id'") }])
  expect(worker.health()).toMatchObject({ paused: undefined, pauses: [] })
})

test('a key whose column has got another type, before a start or under a worker, is of no job: workers say so, and work', async () => {
  await sql`create type region as enum ('eu', 'us')`.execute(db)
  await createJobTable(db, 'typed_jobs', (table) =>
    table.addColumn('code', 'text').addColumn('size', 'text').addColumn('region', sql`region`),
  )
  await pauseJobs(db, 'typed_jobs', { where: { region: 'eu' } })
  await pauseJobs(db, 'typed_jobs', { where: { code: 'abc' } })
  await pauseJobs(db, 'typed_jobs', { where: { size: 'large' } })
  await sql`alter table typed_jobs alter column code type integer using 5`.execute(db)
  const errors: unknown[] = []
  await using worker = createWorker(db, 'typed_jobs', () => {}, { logger: quiet, listen: url, pollInterval: '50ms' })
  worker.on('error', ({ error }) => errors.push(error))
  await worker.start()
  await enqueue(db, 'typed_jobs', { code: 7, size: 'large' })
  const succeeded = new Promise((resolve) => worker.once('succeeded', resolve))
  await enqueue(db, 'typed_jobs', { code: 7, size: 'small' })
  await succeeded
  expect(errors).toMatchObject([{ code: 'PAUSE_UNFIT', message: expect.stringContaining('by code, whose type') }])
  await sql`alter table typed_jobs alter column size type integer using 9`.execute(db)
  await sql`alter type region rename value 'eu' to 'europe'`.execute(db)
  await expect.poll(async () => (await countJobs(db, 'typed_jobs')).statuses.job_status_succeeded).toBe(2)
})

test('equal values are one key, and columns of which one value has several texts, or no equality, are of none', async () => {
  const column = (name: string, type: string) => sql`${sql.ref(name)} ${sql.raw(type)}`
  await createJobTable(db, 'odd_jobs')
  const types = {
    price: 'numeric(10,2)',
    weight: 'numeric',
    initials: 'char(5)',
    facts: 'jsonb',
    tags: 'text[]',
    at: 'timestamptz',
    bits: 'bit(3)',
  }
  for (const [name, type] of Object.entries(types))
    await sql`alter table odd_jobs add column ${column(name, type)}`.execute(db)
  for (const where of [{ price: 5 }, { weight: '5.0' }, { initials: 'ab   ' }])
    await pauseJobs(db, 'odd_jobs', { where })
  for (const where of [{ price: '5.00' }, { weight: 5 }, { initials: 'ab' }])
    expect(await resumeJobs(db, 'odd_jobs', { where })).toBe(true)
  for (const [name, value] of Object.entries({ facts: '"x"', tags: '{a}', at: '2026-01-01', bits: '101' }))
    await expect(pauseJobs(db, 'odd_jobs', { where: { [name]: value } })).rejects.toThrow(`where: '${name}' is of type`)
  expect(await listPauses(db, 'odd_jobs')).toEqual([])
})
