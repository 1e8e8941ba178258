import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

type MailHandler = Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2]

/** Runs one job until everything is at rest. */
async function runOne(handler: MailHandler, options: object = {}) {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await using worker = createWorker(db, 'mail_jobs', handler, { logger: quiet, ...options })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const job = await db.selectFrom('mail_jobs').selectAll().executeTakeFirstOrThrow()
  return { job, sent: await db.selectFrom('sent').selectAll().execute() }
}

test("a job's effects and its completion commit together", async () => {
  const { job, sent } = await runOne(async ({ id }, { attempt, complete }) => {
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
      await complete(trx)
    })
  })
  expect(job).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1, locked_by: null })
  expect(sent).toHaveLength(1)
})

test('where the transaction rolls back there is neither effect nor completion', async () => {
  const { job, sent } = await runOne(async ({ id }, { attempt, complete }) => {
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
      await complete(trx)
      throw new Error('changed my mind')
    })
  })
  expect(job).toMatchObject({ status: 'job_status_retry', last_error: expect.stringContaining('changed my mind') })
  expect(sent).toEqual([])
})

test('what a handler throws after its completion committed changes nothing', async () => {
  const { job, sent } = await runOne(async ({ id }, { attempt, complete }) => {
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
      await complete(trx)
    })
    throw new Error('too late')
  })
  expect(job).toMatchObject({ status: 'job_status_succeeded', last_error: null })
  expect(sent).toHaveLength(1)
})

test('an attempt that lost its lease can not complete: its effects roll back', async () => {
  const { job, sent } = await runOne(async ({ id }, { attempt, complete }) => {
    await db
      .updateTable('mail_jobs')
      .set({ attempts_count: 7, locked_by: '11111111-1111-4111-8111-111111111111' })
      .where('id', '=', id)
      .execute()
    await expect(
      db.transaction().execute(async (trx) => {
        await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
        await complete(trx)
      }),
    ).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })
  expect(job).toMatchObject({ status: 'job_status_running', attempts_count: 7 })
  expect(sent).toEqual([])
})

test('complete wants a transaction, and says so', async () => {
  const { job } = await runOne(async (_job, { complete }) => {
    await complete(db as never)
  })
  expect(job.last_error).toMatch(/^TypeError: context.complete\(trx\) takes a transaction/)
})

test('a controlled transaction serves as well, and one of a handle with another schema path', async () => {
  const { job, sent } = await runOne(async ({ id }, { attempt, complete }) => {
    const trx = await db.withSchema('public').startTransaction().execute()
    await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
    await complete(trx)
    await trx.commit().execute()
  })
  expect(job.status).toBe('job_status_succeeded')
  expect(sent).toHaveLength(1)
})

test('a handler that throws after its completion was committed has succeeded, and is told so', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  const warnings: string[] = []
  await using worker = createWorker(
    db,
    'mail_jobs',
    async (_job, { complete }) => {
      await db.transaction().execute((trx) => complete(trx))
      throw new Error('too late')
    },
    { logger: { ...quiet, warn: (_facts, message) => warnings.push(message) } },
  )
  worker.once('started', () => void warnings.splice(0)) // of the pool
  const told = Promise.race([
    next(worker, 'succeeded').then(() => 'succeeded'),
    next(worker, 'lost').then(() => 'lost'),
  ])
  await worker.start()
  expect(await told).toBe('succeeded')
  expect(warnings).toEqual(['mail_jobs: the handler threw after it had completed its job'])
  expect(await db.selectFrom('mail_jobs').select('status').where('id', '=', id).execute()).toEqual([
    { status: 'job_status_succeeded' },
  ])
})

test('a handler whose completion was rolled back, or failed at COMMIT, did not throw after it had completed', async () => {
  await sql`create table audits (job_id uuid references mail_jobs deferrable initially deferred)`.execute(db)
  onTestFinished(() => sql`drop table audits`.execute(db).then(() => {}))
  const warnings: string[] = []
  const warn = (_facts: object, message: string) => void (/ pool /.test(message) || warnings.push(message))
  const logger = { ...quiet, warn }
  const rolledBack = await runOne(
    (_job, { complete }) =>
      db.transaction().execute(async (trx) => {
        await complete(trx)
        throw new Error('changed my mind')
      }),
    { logger },
  )
  expect(rolledBack.job).toMatchObject({ status: 'job_status_retry', last_error: expect.stringContaining('my mind') })
  await db.deleteFrom('mail_jobs').execute()
  const refused = await runOne(
    (_job, { complete }) =>
      db.transaction().execute(async (trx) => {
        await sql`insert into audits values (gen_random_uuid())`.execute(trx) // refused at the commit
        await complete(trx)
      }),
    { logger },
  )
  expect(refused.job).toMatchObject({ status: 'job_status_retry', last_error: expect.stringContaining('audits') })
  expect(warnings).toEqual(['mail_jobs: job retry', 'mail_jobs: job retry'])
})
