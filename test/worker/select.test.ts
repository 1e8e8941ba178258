import { inspect } from 'node:util'
import { CamelCasePlugin, Kysely, type KyselyPlugin, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import { addJobColumns, createJobIndexes, createJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { newWorkerId } from '../../src/schema/lease-token.js'
import { own } from '../../src/schema/own-names.js'
import { columnValue, interruptionsIn } from '../../src/schema/row.js'
import { testDatabase } from '../support/database.js'
import { next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase(async (handle) => {
  await sql`create type mood as enum ('glad', 'sad')`.execute(handle)
  await sql`create schema app`.execute(handle)
  await createJobTable(handle, 'mail_jobs', (table) =>
    table
      .addColumn('to', 'text')
      .addColumn('body', 'text', (column) => column.defaultTo('a long text'))
      .addColumn('data', 'jsonb')
      .addColumn('mood', sql`mood`)
      .addColumn('shout', 'text', (column) => column.generatedAlwaysAs(sql`upper("to")`).stored()),
  )
})

/** A worker that keeps quiet, and is stopped when its test ends. */
function worker(handle: Kysely<any>, table: string, handler: (job: any) => unknown, options: object) {
  const silent = { logger: quiet, pollInterval: 20, ...options }
  const made = createWorker(handle, table, async (job) => handler(job) as never, silent)
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

/** All jobs that are due, as a worker's handler gets them. */
async function handled(handle: Kysely<any>, table: string, options: object): Promise<any[]> {
  const jobs: object[] = []
  const made = worker(handle, table, (job) => void jobs.push(job), options)
  const idle = next(made, 'idle', () => jobs.length > 0)
  await made.start()
  await idle
  await made.stop({ deadline: 0 })
  return jobs
}

/** A handle by a pool of its own. */
function handleOf(config: pg.PoolConfig, options: object = {}): Kysely<any> {
  const pool = guardPool(new pg.Pool({ connectionString: url, ...config }))
  const handle = new Kysely<any>({ dialect: new PostgresDialect({ pool }), ...options })
  onTestFinished(() => handle.destroy())
  return handle
}

test('a handler gets what is selected, id and attempts_count, of whatever types; all else is not there', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada', data: { deep: [1] }, mood: 'glad' })
  const [job] = await handled(db, 'mail_jobs', { select: ['to', 'data', 'mood', 'shout'] })
  const expected = { id, attempts_count: 1, to: 'ada', data: { deep: [1] }, mood: 'glad', shout: 'ADA' }
  expect(job).toStrictEqual(expected)
  expect(Reflect.ownKeys(job)).toEqual(Object.keys(expected))
  expect(inspect(job, { showHidden: true })).toBe(inspect(expected, { showHidden: true }))
  for (const name of ['body', 'run_at', 'locked_by', 'status', ...Object.values(own)]) expect(name in job).toBe(false)
})

test('with no column at all a job has its id and attempts; columns of the queue may be selected, and twice', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const [bare] = await handled(db, 'mail_jobs', { select: [] })
  expect(Object.keys(bare)).toEqual(['id', 'attempts_count'])
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const [job] = await handled(db, 'mail_jobs', { select: ['run_at', 'id', 'status', 'run_at', 'locked_by'] })
  expect(Object.keys(job)).toEqual(['id', 'attempts_count', 'run_at', 'status', 'locked_by'])
  expect(job).toMatchObject({ run_at: expect.any(Date), status: 'job_status_running' })
})

test('the database sends no other column; without a select it sends all', async () => {
  const texts: string[] = []
  const logged = handleOf({}, { log: ({ query }: { query: { sql: string } }) => void texts.push(query.sql) })
  const returned = async (options: object) => {
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    texts.length = 0
    await handled(logged, 'mail_jobs', options)
    const claims = texts.filter((text) => text.startsWith('update') && text.includes('"locked_at" = clock_timestamp()'))
    return new Set(
      claims.map((text) => /returning (.*?)(?:, pg_catalog.*)?(?: --.*|\/\*.*)?$/s.exec(text)?.[1]?.trim()),
    )
  }
  expect(await returned({ select: ['to'] })).toEqual(
    new Set(['"id" as "id", "attempts_count" as "attempts_count", "to" as "to"']),
  )
  expect(await returned({})).toEqual(new Set(['*']))
})

test('events and functions of the job see what the handler sees; wait and duration are known', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await sql`update mail_jobs set run_at = now() - interval '90 seconds' where status = 'job_status_not_started'`.execute(
    db,
  )
  const seen = new Set<object>()
  const see = <Value>(job: object, value: Value) => {
    seen.add(job)
    return value
  }
  const made = worker(db, 'mail_jobs', (job) => Promise.reject(see(job, new Error('away'))), {
    select: ['to'],
    maxAttempts: (job: object) => see(job, 5),
    backoff: (_attempt: number, _error: unknown, job: object) => see(job, '1h'),
    describeError: (_error: unknown, job: object) => see(job, 'away'),
  })
  const [claimed, retry] = [next<any>(made, 'claimed'), next<any>(made, 'retry')]
  await made.start()
  const [{ jobs }, { job, wait, duration, error }] = await Promise.all([claimed, retry])
  expect([...seen]).toEqual([job])
  expect(jobs).toEqual([job])
  expect(Object.keys(job)).toEqual(['id', 'attempts_count', 'to'])
  expect(error).toBe('away')
  expect(wait).toBeGreaterThanOrEqual(90_000)
  expect(wait).toBeLessThan(600_000)
  expect(duration).toBeGreaterThanOrEqual(0)
})

test.each([
  ['plain', {}, []],
  ['by CamelCasePlugin', {}, [new CamelCasePlugin()]],
  // what a driver makes of dates, and a session of their texts, is the user's
  [
    'through type parsers',
    {
      types: { getTypeParser: (oid: number) => (oid === 1184 ? () => 'noon' : pg.types.getTypeParser(oid)) },
      options: '-c TimeZone=Asia/Kolkata -c DateStyle=SQL,DMY -c bytea_output=escape',
    },
    [],
  ],
])('the earliest job comes first, and before it the highest priority: %s', async (name, config, plugins) => {
  const table = `app.jobs_${/\w+$/.exec(name)}`.toLowerCase()
  await createJobTable(db, table, (builder) => builder.addColumn('file_name', 'text'), { columns: ['priority'] })
  await sql`insert into ${sql.table(table)} (file_name, priority, run_at) values ('d', 0, now()), ('c', 0, now() - interval '1 ms'),
    ('b', 0, '1999-12-31'), ('a', 0, '-infinity'), ('z', 1, now()), ('y', 1, now() - interval '400 years')`.execute(db)
  const handle = handleOf(config as pg.PoolConfig, { plugins }).withSchema('app')
  const isCamel = plugins.length > 0
  const jobs = await handled(handle, isCamel ? 'jobsCamelcaseplugin' : table.slice(4), {
    select: [isCamel ? 'fileName' : 'file_name'],
    concurrency: 1,
  })
  expect(jobs.map((job) => Object.keys(job)[2])).toEqual(Array(6).fill(isCamel ? 'fileName' : 'file_name'))
  expect(jobs.map((job) => job.fileName ?? job.file_name).join('')).toMatch(/^yz[ab]{2}cd$/)
})

test.each<[string, (row: object) => object]>([
  ['adds to rows', (row) => ({ ...row, loaded: 'now' })],
  ['renames columns', (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [`${name}_`, value]))],
])('a plugin that %s takes nothing from the worker', async (_what, changed) => {
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => ({ ...result, rows: result.rows.map((row) => changed(row) as typeof row) }),
  }
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const jobs: object[] = []
  const made = worker(db.withPlugin(plugin), 'mail_jobs', (job) => void jobs.push(job), { select: ['to'] })
  const claimed = next<any>(made, 'claimed')
  await made.start()
  const {
    jobs: [job],
  } = await claimed
  expect(Object.keys(job)).toEqual(Object.keys(changed({ id: 1, attempts_count: 1, to: 'ada' })))
  expect(interruptionsIn(job)).toBe(0)
  expect(columnValue(job, 'run_at')).toBeInstanceOf(Date)
  await made.stop({ deadline: 0 })
  await db.deleteFrom('mail_jobs').execute()
})

test('columns may have any name, those of ours too', async () => {
  const names = ['a.b', 'a as b', 'Order', '1', 'select', ...Object.values(own), 'kyselyJobsText', 'kysely_jobs_textx']
  await createJobTable(db, 'names', (table) => names.reduce((all, name) => all.addColumn(name, 'text') as never, table))
  const values = names.map((name) => `${name}!`)
  const columns = sql.join(names.map((name) => sql.id(name)))
  await sql`insert into names (${columns}) values (${sql.join(values)})`.execute(db)
  expect(await handled(db, 'names', { select: names })).toEqual([
    { ...Object.fromEntries(names.map((name) => [name, `${name}!`])), id: expect.any(String), attempts_count: 1 },
  ])
})

test('a row that is told by its whole key is run, and taken over, as any other', async () => {
  await sql`create table months (id int, created_at timestamptz not null default now(), tenant text, body text, primary key (id, created_at)) partition by range (created_at)`.execute(
    db,
  )
  await sql`create table all_months partition of months default`.execute(db)
  await addJobColumns(db, 'months')
  await createJobIndexes(db, 'months')
  await sql`insert into months (id, created_at, tenant) values (1, '2026-01-01', 'ada'), (1, '2026-02-01', 'bob')`.execute(
    db,
  )
  await sql`insert into months (id, created_at, tenant, status, attempts_count, locked_at, locked_by)
    values (1, '2026-03-01', 'carl', 'job_status_running', 1, now() - interval '1 hour', ${newWorkerId(1)}),
      (1, '2026-04-01', 'dora', 'job_status_running', 1, null, null)`.execute(db)
  const limits: Record<string, number> = { carl: 1, dora: 2 }
  const jobs: object[] = []
  const made = worker(db, 'months', (job) => void jobs.push(job), {
    select: ['tenant'],
    lease: '1s',
    maxAttempts: (job: object) => {
      expect(Object.keys(job)).toEqual(['id', 'attempts_count', 'tenant'])
      return limits[(job as { tenant: string }).tenant] ?? 5
    },
  })
  await made.start()
  const statuses = async () => {
    const rows = await db.selectFrom('months').select('status').orderBy('tenant').execute()
    return rows.map(({ status }) => status.slice('job_status_'.length))
  }
  await expect.poll(statuses).toEqual(['succeeded', 'succeeded', 'failed', 'succeeded'])
  expect(jobs).toContainEqual({ id: 1, attempts_count: 1, tenant: 'ada' })
  expect(jobs).toContainEqual({ id: 1, attempts_count: 1, tenant: 'bob' })
  expect(jobs).toContainEqual({ id: 1, attempts_count: 2, tenant: 'dora' })
})

test("a job's own max_attempts and result count, though it is not selected", async () => {
  await createJobTable(db, 'limited', (table) => table.addColumn('to', 'text'), {
    columns: ['max_attempts', 'result', 'started_at', 'finished_at', 'errors'],
  })
  await enqueue(db, 'limited', [{ to: 'ada', max_attempts: 1 }, { to: 'bob' }, { to: 'carl' }])
  const begun: string[] = []
  const made = worker(
    db,
    'limited',
    ({ to }) => {
      begun.push(to)
      return to === 'carl' ? { sent: true } : Promise.reject(new Error('away'))
    },
    { select: ['to'] },
  )
  const idle = next(made, 'idle', () => begun.length === 3)
  await made.start()
  await idle
  expect(await db.selectFrom('limited').select(['to', 'status', 'result']).orderBy('to').execute()).toEqual([
    { to: 'ada', status: 'job_status_failed', result: null },
    { to: 'bob', status: 'job_status_retry', result: null },
    { to: 'carl', status: 'job_status_succeeded', result: { sent: true } },
  ])
})

test.each(['uuid', 'text'])('a job that was taken over twice runs alone (locked_by is %s)', async (type) => {
  const table = `suspects_${type}`
  await createJobTable(db, table, (builder) => builder.addColumn('to', 'text'), { notify: 'none' })
  await sql`alter table ${sql.table(table)} alter column locked_by type ${sql.raw(type)}`.execute(db)
  // a pending job keeps the number of its interruptions as seconds of 1970
  await sql`insert into ${sql.table(table)} ("to", attempts_count, locked_at)
    values ('suspect', 2, '1970-01-01 00:00:02+00'), ('a', 0, null), ('b', 0, null), ('c', 0, null)`.execute(db)
  const running = new Set<string>()
  const together: string[][] = []
  const made = worker(
    db,
    table,
    async ({ to }) => {
      running.add(to)
      await new Promise((resolve) => setImmediate(resolve))
      together.push([...running])
      running.delete(to)
    },
    { select: ['to'] },
  )
  const idle = next(made, 'idle', () => together.length === 4)
  await made.start()
  await idle
  expect(together.filter((names) => names.includes('suspect'))).toEqual([['suspect']])
})

test('a backlog of more than a fetch is worked off in its order', async () => {
  await createJobTable(db, 'backlog', (table) => table.addColumn('n', 'integer').addColumn('body', 'text'))
  await sql`insert into backlog (n, run_at) select n, now() - n * interval '1 ms' from generate_series(1, 3000) n`.execute(
    db,
  )
  const jobs = await handled(db, 'backlog', { select: ['n'], concurrency: 1 })
  expect(jobs.map(({ n }) => n)).toEqual(Array.from({ length: 3000 }, (_, i) => 3000 - i))
})

test('a column that the table does not have is an error at start, which names it and those that there are', async () => {
  const columns = /there are id, created_at, .*, to, body, data, mood, shout$/
  const start = (handle: Kysely<any>, table: string, select: string[]) =>
    worker(handle, table, () => {}, { select }).start()
  const error = await start(db, 'mail_jobs', ['to', 'toe', 'from']).catch((thrown) => thrown)
  expect(error).toMatchObject({ name: 'WorkerOptionError', code: 'INVALID_OPTION' })
  expect(error.message).toMatch(/^select: mail_jobs has no column 'toe', 'from'; there are /)
  expect(error.message).toMatch(columns)
  for (const name of ['ctid', 'mail_jobs.to', 'to as toe', 'To', '*', ''])
    await expect(start(db, 'mail_jobs', [name])).rejects.toThrow(`select: mail_jobs has no column '${name}'`)
  const camel = db.withPlugin(new CamelCasePlugin())
  await expect(start(camel, 'mailJobs', ['lockedBy', 'lockedBye'])).rejects.toThrow(
    "has no column 'lockedBye'; there are",
  )
})

test('a select that is no list of names is refused', () => {
  for (const select of ['to', null, 3, ['to', 3], { to: true }, [['to']]])
    expect(() => worker(db, 'mail_jobs', () => {}, { select })).toThrow(
      /^select: .* is invalid; give a list of columns/,
    )
})

test('while a selected column is away no job runs, and it is said; when it is back they do', async () => {
  await createJobTable(db, 'parcels', (table) => table.addColumn('to', 'text'))
  const begun: string[] = []
  const made = worker(db, 'parcels', ({ to }) => begun.push(to), { select: ['to'] })
  await made.start()
  await sql`alter table parcels rename column "to" to moved`.execute(db)
  const told = next<any>(made, 'error')
  await sql`insert into parcels (moved) values ('ada')`.execute(db)
  expect(String((await told).error)).toContain('"to"')
  await sql`alter table parcels rename column moved to "to"`.execute(db)
  await expect.poll(() => begun).toEqual(['ada'])
})
