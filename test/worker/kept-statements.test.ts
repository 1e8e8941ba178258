import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, fetchNextJobs, guardPool, type Outcome, settle } from 'kysely-jobs'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db: admin, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => admin.deleteFrom('mail_jobs').execute())

/** One session, so that what it keeps can be seen in it. */
function session() {
  const pool = guardPool(new pg.Pool({ connectionString: url, max: 1 }))
  const db = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => db.destroy())
  return db
}

/** What a session keeps: statements, and how often each was run since. */
async function kept(db: Kysely<MailDatabase>) {
  const { rows } = await sql<{ statement: string; runs: number }>`
    select statement, (generic_plans + custom_plans)::int as runs from pg_prepared_statements`.execute(db)
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

test('claims and outcomes of single jobs are parsed and planned once for each connection', async () => {
  const { db, send } = await working()
  for (const to of ['ada', 'bob', 'cy', 'dee']) await send(to)
  const statements = await kept(db)
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
  const worker = randomUUID()
  const options = { worker, skipLocked: true }
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 20 })
  const [first, second, ...others] = jobs.map(
    (job): Outcome => ({ id: job.id, attempt: job.attempts_count, kind: 'succeeded' }),
  )
  if (first === undefined || second === undefined) throw new Error('20 jobs were enqueued')
  await settle(db, 'mail_jobs', others, options)
  await db.transaction().execute((trx) => settle(trx, 'mail_jobs', [first], options))
  expect(await kept(db)).toEqual([])
  await settle(db, 'mail_jobs', [second], options)
  expect(await kept(db)).toHaveLength(1)
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
  expect(await kept(db)).toEqual([])
})

test('a statement whose kept plan is slow is planned anew for a while', async () => {
  const db = session()
  for (let i = 0; i < 3; i++) await sql`select pg_sleep(0.1) /* kept */`.execute(db)
  expect(await kept(db)).toEqual([{ statement: 'select pg_sleep(0.1) /* kept */', runs: 1 }])
})

test('a statement that does not ask for it is not kept, nor one that is refused for reasons of its own tried again', async () => {
  const db = session()
  await sql`select 1`.execute(db)
  await expect(sql`select 1 / 0 /* kept */`.execute(db)).rejects.toMatchObject({ code: '22012' })
  expect((await kept(db)).filter(({ statement }) => statement === 'select 1')).toEqual([])
})
