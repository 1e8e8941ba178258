import { Kysely, PostgresDialect, sql } from 'kysely'
import { DurationError, enqueue, NewJobError } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { queueManagedColumns } from '../../src/schema/columns.js'
import { testDatabase } from '../support/database.js'
import { rolledBack, worker } from './mail-jobs.js'

const { db, pool } = await testDatabase((handle) =>
  createJobTable(
    handle,
    'mail_jobs',
    (table) =>
      table
        .addColumn('to', 'text', (column) => column.notNull().defaultTo('nobody'))
        .addColumn('size', 'integer', (column) => column.check(sql`size < 1000000`))
        .addColumn('body', 'jsonb')
        .addColumn('note', 'text')
        .addColumn('file', 'bytea'),
    { columns: ['priority', 'max_attempts'], notify: 'none' },
  ),
)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const count = async () => {
  const { all } = await db
    .selectFrom('mail_jobs')
    .select(sql<number>`count(*)::int`.as('all'))
    .executeTakeFirstOrThrow()
  return all
}

test('one job gives one row, as it is in the table', async () => {
  const job = await enqueue(db, 'mail_jobs', { to: 'ada', body: { a: 1 }, priority: 3, max_attempts: 2 })
  expect(await db.selectFrom('mail_jobs').selectAll().execute()).toEqual([job])
  expect(job).toMatchObject({ to: 'ada', body: { a: 1 }, status: 'job_status_not_started', attempts_count: 0 })
})

test('an array gives its rows in its order; an empty one none', async () => {
  const people = Array.from({ length: 100 }, (_, n) => ({ to: `${(n * 37) % 100}` }))
  const jobs = await enqueue(db, 'mail_jobs', people)
  expect(jobs.map(({ to }) => ({ to }))).toEqual(people)
  expect(await enqueue(db, 'mail_jobs', [])).toEqual([])
  expect(await count()).toBe(100)
})

test('rows of an array may name different columns; the others have their defaults', async () => {
  const jobs = await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { size: 5 }, {}, { to: undefined }])
  expect(jobs).toMatchObject([
    { to: 'ada', size: null },
    { to: 'nobody', size: 5 },
    { to: 'nobody', size: null },
    { to: 'nobody', size: null },
  ])
})

test('70,000 rows of several columns go in whole, in their order, in one transaction', async () => {
  const rows = Array.from({ length: 70_000 }, (_, n) => ({
    to: `p${n}`,
    size: n,
    priority: n % 5,
    note: `t${n}`,
  }))
  const jobs = await enqueue(db, 'mail_jobs', rows)
  expect(jobs.map(({ size }) => size)).toEqual(rows.map(({ size }) => size))
  const { rows: found } = await sql<object>`
    select count(*)::int, count(distinct xmin::text)::int as transactions, sum(size) from mail_jobs`.execute(db)
  expect(found).toEqual([{ count: 70_000, transactions: 1, sum: String((69_999 * 70_000) / 2) }])
})

test('a statement holds no more than some megabytes, whatever the rows hold, and it is all or nothing still', async () => {
  const statements: string[] = []
  const logged = new Kysely<any>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => {
      statements.push(query.sql)
    },
  })
  const large = 'x'.repeat(1_000_000)
  const rows = Array.from({ length: 20 }, () => ({ to: large }))
  expect(await enqueue(logged, 'mail_jobs', rows)).toHaveLength(20)
  expect(statements.filter((statement) => statement.startsWith('insert'))).toHaveLength(3)
  await expect(enqueue(logged, 'mail_jobs', [...rows, { to: large, size: 1_000_000 }])).rejects.toThrow(
    'check constraint',
  )
  expect(await count()).toBe(20)
})

/** How many rows each insert of an enqueue has. */
async function insertsOf(rows: readonly object[]): Promise<number[]> {
  const inserts: number[] = []
  const log = ({ query }: { query: { sql: string; parameters: readonly unknown[] } }) => {
    if (query.sql.startsWith('insert')) inserts.push(query.sql.split('values ')[1]?.match(/\(/g)?.length ?? 0)
  }
  const logged = new Kysely<any>({ dialect: new PostgresDialect({ pool }), log })
  const jobs = await enqueue(logged, 'mail_jobs', rows)
  expect(jobs.map(({ to }) => to)).toEqual(rows.map((_, n) => `person ${n}`))
  return inserts
}

test('one huge row among many goes by itself, and the others together, whatever kind of value it has', async () => {
  const large = 'x'.repeat(9_000_000)
  const huge = [{ note: large }, { body: { text: large } }, { file: Buffer.alloc(9_000_000, 1) }]
  for (const value of huge) {
    const rows = Array.from({ length: 1001 }, (_, n) => ({ to: `person ${n}`, ...(n === 500 && value) }))
    expect(await insertsOf(rows)).toEqual([500, 1, 500])
  }
})

test('rows of bytes and of texts beyond ASCII are counted as what is sent', async () => {
  const person = (n: number) => ({ to: `person ${n}` })
  const files = Array.from({ length: 20 }, (_, n) => ({ ...person(n), file: Buffer.alloc(1_000_000) }))
  expect(await insertsOf(files)).toEqual([7, 7, 6])
  const texts = Array.from({ length: 20 }, (_, n) => ({ ...person(n), note: '語'.repeat(333_333) }))
  expect(await insertsOf(texts)).toEqual([7, 7, 6])
})

test('or not at all: the last of 70,000 is refused, and none is there', async () => {
  const rows = Array.from({ length: 70_000 }, (_, n) => ({ to: 'ada', size: n === 69_999 ? 1_000_000 : n }))
  await expect(enqueue(db, 'mail_jobs', rows)).rejects.toThrow('check constraint')
  expect(await count()).toBe(0)
})

test("in the user's transaction a job comes and goes with it", async () => {
  await rolledBack(db, async (trx) => {
    await enqueue(trx, 'mail_jobs', { to: 'ada' })
    await enqueue(
      trx,
      'mail_jobs',
      Array.from({ length: 20_000 }, () => ({ to: 'ben', size: 1 })),
    )
    expect(await count()).toBe(0)
  })
  expect(await count()).toBe(0)
  await db.transaction().execute((committed) => enqueue(committed, 'mail_jobs', { to: 'ada' }))
  expect(await count()).toBe(1)
})

test('a delay counts from now by the clock of the database', async () => {
  const wait = async (delay: number | '90s' | '2h') => {
    const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' }, { delay })
    const seconds = sql<number>`round(extract(epoch from run_at - created_at))::int`.as('wait')
    return (await db.selectFrom('mail_jobs').select(seconds).where('id', '=', id).executeTakeFirstOrThrow()).wait
  }
  expect([await wait('90s'), await wait('2h'), await wait(5000), await wait(0)]).toEqual([90, 7200, 5, 0])
})

test('a run_at of the user is kept, as a date, as text or as an expression', async () => {
  const date = new Date('2030-01-01T00:00:00Z')
  const jobs = await enqueue(db, 'mail_jobs', [
    { run_at: date },
    { run_at: '2030-01-01T00:00:00Z' },
    { run_at: sql`timestamptz '2030-01-01T00:00:00Z'` },
  ])
  expect(jobs.map(({ run_at }) => run_at)).toEqual([date, date, date])
})

test('a job without any value is due in its own transaction, as one with values is', async () => {
  await db.transaction().execute(async (trx) => {
    await enqueue(trx, 'mail_jobs', {})
    await enqueue(trx, 'mail_jobs', { to: 'ada' })
    expect(await fetchNextJobs(trx, 'mail_jobs', { worker, limit: 5 })).toHaveLength(2)
  })
})

test.each([...queueManagedColumns, 'attemptsCount', 'lockedBy'])(
  '%s is refused: the queue alone writes it',
  async (name) => {
    await expect(enqueue(db, 'mail_jobs', [{ to: 'ada' }, { [name]: null }])).rejects.toMatchObject({
      name: 'NewJobError',
      code: 'INVALID_NEW_JOB',
      message: `mail_jobs.${name} is written by the queue alone: leave it out of enqueue()`,
    })
    expect(await count()).toBe(0)
  },
)

test('what Postgres would refuse or change is refused before, and the column is named', async () => {
  await expect(enqueue(db, 'mail_jobs', { to: 'a\0b' })).rejects.toThrow('mail_jobs.to: the text holds a NUL character')
  await expect(enqueue(db, 'mail_jobs', { to: '\ud800' })).rejects.toThrow('half of a surrogate pair')
  await expect(enqueue(db, 'mail_jobs', { run_at: new Date() }, { delay: 5 })).rejects.toThrow(
    'give either run_at or the option delay, not both',
  )
  await expect(enqueue(db, 'mail_jobs', {}, { delay: -5 })).rejects.toThrow(DurationError)
  expect(new NewJobError('')).toBeInstanceOf(TypeError)
})

test('a plain insert works just as well', async () => {
  const plain: Kysely<any> = db
  await plain.insertInto('mail_jobs').values({ to: 'ada' }).execute()
  await sql`insert into mail_jobs ("to") values ('ben')`.execute(db)
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 5 })
  expect(jobs.map(({ to }) => to).toSorted()).toEqual(['ada', 'ben'])
})

test('a table that is not migrated is said in the words of the worker', async () => {
  await expect(enqueue(db as any, 'unmade_jobs', { to: 'ada' })).rejects.toMatchObject({
    code: 'NO_SUCH_TABLE',
    message: expect.stringContaining('There is no table "unmade_jobs" in this database: create it by a migration'),
  })
})
