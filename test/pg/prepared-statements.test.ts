import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, type JobId, type LeasedOutcome, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from '../worker/mail-jobs.js'

const { db: admin, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => admin.deleteFrom('mail_jobs').execute())

/** One session, so that what it keeps can be seen in it. */
function session() {
  const pool = guardPool(new pg.Pool({ connectionString: url, max: 1 }))
  const db = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => db.destroy())
  return db
}

/** What a session keeps: statements by name, and how often each was run since; before Postgres 14 nobody counts. */
async function prepared(db: Kysely<any>) {
  const { rows } = await sql<{ name: string; statement: string; runs: number }>`
    select name, statement, (to_jsonb(s) -> 'generic_plans')::int + (to_jsonb(s) -> 'custom_plans')::int as runs
    from pg_prepared_statements s order by name`.execute(db)
  return rows
}

/** A worker in a session of its own; its complaints are kept, and each job is worked off before the next comes. */
async function working() {
  const db = session()
  const seen: object[] = []
  const complaints: unknown[] = []
  const worker = createWorker(db, 'mail_jobs', async (job) => void seen.push(job), { logger: quiet, listen: url })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  worker.on('error', ({ error }) => complaints.push(error))
  const listening = next(worker, 'listener', ({ state }: { state: string }) => state === 'listening')
  await worker.start()
  await listening
  const send = async (to: string) => {
    const succeeded = next(worker, 'succeeded')
    await enqueue(admin, 'mail_jobs', { to })
    await succeeded
  }
  return { db, send, seen, complaints }
}

test('claims and outcomes of single jobs are parsed once for each connection', async () => {
  const { db, send } = await working()
  for (const to of ['ada', 'bob', 'cy', 'dee']) await send(to)
  const statements = await prepared(db)
  const runsOf = (part: string) =>
    statements.filter(({ statement }) => statement.includes(part)).map(({ runs }) => runs)
  expect(runsOf('job_status_running')).toEqual([expect.any(Number)])
  expect(runsOf('job_status_running')[0]).toBeGreaterThanOrEqual(4)
  expect(runsOf('job_status_succeeded')).toEqual([4])
})

test('no large batch is kept, whose plan is worth its time, and nothing within a transaction, which its refusal would end', async () => {
  const db = session()
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 20 }, () => ({ to: 'ada' })),
  )
  const options = { worker: randomUUID(), skipLocked: true }
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...options, limit: 20 })
  const [first, second, third, ...others] = jobs.map(succeeded)
  await settle(db, 'mail_jobs', others, options)
  await db.transaction().execute((trx) => settle(trx, 'mail_jobs', [first!], options))
  await db.connection().execute(async (connection) => {
    await sql`begin`.execute(connection)
    await settle(connection, 'mail_jobs', [second!], options)
    await sql`commit`.execute(connection)
  })
  expect(await prepared(db)).toEqual([])
  await settle(db, 'mail_jobs', [third!], options)
  expect(await prepared(db)).toHaveLength(1)
})

test('columns that change their type cost no outcome', async () => {
  await createJobTable(admin, 'odd_jobs', (table) => table.addColumn('to', 'text'), { notify: 'none' })
  const db: Kysely<any> = session()
  const settleOne = async () => {
    await enqueue(db, 'odd_jobs', { to: 'ada' })
    const options = { worker: randomUUID(), skipLocked: true }
    const jobs = await fetchNextJobs(db, 'odd_jobs', { ...options, limit: 1 })
    return settle(db, 'odd_jobs', jobs.map(succeeded), options)
  }
  await settleOne()
  expect(await prepared(db)).toHaveLength(1)
  await sql`alter table odd_jobs alter column locked_by type text`.execute(admin)
  expect(await settleOne()).toHaveLength(1)
})

test('a table that is made anew, with other ids, costs no claim and no outcome', async () => {
  const db: Kysely<any> = session()
  for (const id of ['uuid', 'bigint', 'text'] as const) {
    await createJobTable(admin, 'new_jobs', (table) => table.addColumn('to', 'text'), { id })
    await enqueue(db, 'new_jobs', { to: 'ada', ...(id === 'text' && { id: 'first' }) })
    const worker = createWorker(db, 'new_jobs', async () => {}, { logger: quiet })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const complaints: unknown[] = []
    worker.on('error', ({ error }) => complaints.push(error))
    const succeeded = next(worker, 'succeeded')
    await worker.start()
    await succeeded
    await worker.stop()
    expect(complaints).toEqual([])
    await dropJobTable(admin, 'new_jobs')
  }
})

test('a table that gains a column while a worker runs costs no claim, and its handlers see the column', async () => {
  const { send, seen, complaints } = await working()
  await send('ada')
  await sql`alter table mail_jobs add column urgency int not null default 7`.execute(admin)
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop column urgency`.execute(admin)
  })
  await send('bob')
  expect(seen).toMatchObject([{ to: 'ada' }, { to: 'bob', urgency: 7 }])
  expect(complaints).toEqual([])
})

test('a session that has forgotten its statements, as after DISCARD ALL, costs no claim and no outcome', async () => {
  const { db, send, complaints } = await working()
  await send('ada')
  await sql`discard all`.execute(db)
  await send('bob')
  await send('cy')
  expect(complaints).toEqual([])
  expect((await prepared(db)).length).toBeGreaterThan(1)
})

const mark = sql.raw(' /* prepared */')

test('a prepared statement whose table gains a column is answered with the column', async () => {
  const db = session()
  const read = () => sql`select * from mail_jobs${mark}`.execute(db)
  await admin.insertInto('mail_jobs').values({ to: 'ada' }).execute()
  await read()
  await sql`alter table mail_jobs add column urgency int not null default 7`.execute(admin)
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop column urgency`.execute(admin)
  })
  expect((await read()).rows).toContainEqual(expect.objectContaining({ urgency: 7 }))
})

test('a session keeps no more than 32 statements, however many there are', async () => {
  const db = session()
  for (let i = 0; i < 40; i++) await sql`select ${sql.lit(i)}${mark}`.execute(db)
  expect(await prepared(db)).toHaveLength(32)
})

test('a statement that does not ask for it is not kept, nor one that is called with a callback', async () => {
  const pool = guardPool(new pg.Pool({ connectionString: url, max: 1 }))
  onTestFinished(() => pool.end())
  const statements = 'select statement from pg_prepared_statements'
  await pool.query('select 1', [])
  await pool.query('select 1 /* prepared */', [])
  expect((await pool.query(statements)).rows).toEqual([])
})

test('what is refused for reasons of its own is told as it is, and stays kept', async () => {
  const db = session()
  for (let i = 0; i < 3; i++)
    await expect(sql`select 1 / ${0}::int${mark}`.execute(db)).rejects.toMatchObject({ code: '22012' })
  expect(await prepared(db)).toHaveLength(1)
})

function succeeded(job: { readonly id?: JobId; readonly attempts_count?: number }): LeasedOutcome {
  return { id: job.id ?? '', attempt: job.attempts_count ?? 0, kind: 'succeeded' }
}
