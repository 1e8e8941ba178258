import { Kysely, PostgresDialect, sql } from 'kysely'
import { cancelJobs, createWorker, enqueue } from 'kysely-jobs'
import { watchForJob } from 'kysely-jobs/ihp'
import { fetchNextJobs, isClaimable } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** A worker that listens, and the statements it sends. */
async function listening(handler: () => unknown, options: object = {}) {
  const statements: string[] = []
  const own = new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log: ({ query }) => void statements.push(query.sql),
  })
  const worker = createWorker(own, 'mail_jobs', async () => handler(), {
    ...{ logger: quiet, listen: url, lease: '1h', pollInterval: '1h', ...options },
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const isListening = next(worker, 'listener', ({ state }: { state: string }) => state === 'listening')
  await worker.start()
  await isListening
  await expect.poll(() => statements.length > 0 && worker.health().lastFetch).toBeTruthy()
  return { worker, statements }
}

/** So many notices, each by itself, as anyone who may connect can send them. @returns how many seconds it took */
async function flood(payload: string, count: number): Promise<number> {
  const start = performance.now()
  for (let n = 0; n < count; n++) await sql`select pg_notify('job_available_mail_jobs', ${payload})`.execute(db)
  return (performance.now() - start) / 1000
}

const isUpdate = (statement: string) => statement.startsWith('update')
const isRenewal = (statement: string) => isUpdate(statement) && !statement.includes('limit')

test.each(['', 'junk', '1'])(
  'a flood of the notice %j, which lead to no job, makes a worker look a few times only',
  async (payload) => {
    const { worker, statements } = await listening(() => {})
    const before = statements.filter(isUpdate).length
    const seconds = await flood(payload, 500)
    expect(statements.filter(isUpdate).length - before).toBeLessThan(30 + 2 * seconds)
    const succeeded = next(worker, 'succeeded')
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    await succeeded
  },
)

test('a flood of requests to check leases renews none, and looks for them a few times only', async () => {
  const held = Promise.withResolvers<void>()
  const { worker, statements } = await listening(() => held.promise)
  const claimed = next(worker, 'claimed')
  await enqueue(db, 'mail_jobs', { to: 'long' })
  await claimed
  await expect.poll(() => worker.health().running).toBe(1)
  const before = statements.length
  const seconds = await flood('check', 500)
  expect(statements.slice(before).filter(isRenewal)).toEqual([])
  expect(statements.length - before).toBeLessThan(10 + 2 * seconds)
  const succeeded = next(worker, 'succeeded')
  held.resolve()
  await succeeded
})

test('a running job that is cancelled amid such a flood is told, and the other is not renewed for it', async () => {
  const held = Promise.withResolvers<void>()
  const { worker, statements } = await listening(() => held.promise)
  const claimed = next(worker, 'claimed')
  const [ada] = await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  await claimed
  await expect.poll(() => worker.health().running).toBe(2)
  await flood('check', 200)
  const before = statements.length
  const cancelled = next<{ job: { to: string } }>(worker, 'cancelled')
  await cancelJobs(db, 'mail_jobs', { ids: [ada?.id ?? ''] })
  expect((await cancelled).job.to).toBe('ada')
  expect(statements.slice(before).filter(isRenewal)).toEqual([])
  held.resolve()
})

test('a watch for jobs, too, looks a few times only where notices lead to nothing', async () => {
  const statements: string[] = []
  const own = new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log: ({ query }) => void statements.push(query.sql),
  })
  const called = Promise.withResolvers<void>()
  const watch = await watchForJob(own, 'mail_jobs', { listen: url, logger: quiet, pollInterval: '1h' }, async () => {
    await fetchNextJobs(db, 'mail_jobs', { worker: '11111111-1111-4111-8111-111111111111', limit: 10 })
    called.resolve()
  })
  onTestFinished(() => watch.close())
  await flood('check', 100)
  const seconds = await flood('0', 500)
  expect(statements.length).toBeLessThan(50 + 2 * seconds)
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await called.promise
  expect(await db.selectFrom('mail_jobs').select('id').where(isClaimable()).execute()).toEqual([])
})
