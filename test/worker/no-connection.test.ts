import { Kysely, type LogEvent, PostgresDialect } from 'kysely'
import { createWorker, enqueue, linear } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

type MailHandler = Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2]

interface Told {
  readonly error: Error & { readonly code?: string }
  readonly doing: string
}

/** A program whose whole pool is one connection, shared by its worker and all else. */
function program(handler: (own: Kysely<MailDatabase>) => MailHandler) {
  const pool = quietPool({ connectionString: url, max: 1 })
  const statements: string[] = []
  const log = ({ query }: LogEvent) => void statements.push(query.sql)
  const own = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }), log })
  const worker = createWorker(own, 'mail_jobs', handler(own), {
    ...{ logger: quiet, lease: '1s', pollInterval: '50ms', backoff: linear({ delay: 10 }) },
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  return { pool, statements, worker }
}

const rows = () => db.selectFrom('mail_jobs').select(['status', 'attempts_count']).execute()

test('a handler that holds the only connection is told in time, and the worker says what is taken, and the remedy', async () => {
  const reasons: unknown[] = []
  const { worker } = program((own) => async (_job, { attempt, signal }) => {
    if (attempt > 1) return
    await own.transaction().execute(() => new Promise((resolve) => signal.addEventListener('abort', resolve)))
    reasons.push(signal.reason)
    throw signal.reason
  })
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const told = next<Told>(worker, 'error', ({ doing }) => doing === 'renewing 1 leases')
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  expect((await told).error).toMatchObject({
    code: 'NO_CONNECTION',
    message: expect.stringMatching(
      /^No connection for heartbeat in time: all connections of the pool are taken .*`max`/,
    ),
  })
  await succeeded
  expect(reasons).toMatchObject([{ code: 'LEASE_LOST' }])
  expect(await rows()).toEqual([{ status: 'job_status_succeeded', attempts_count: 2 }])
})

test('a handler that gives the only connection back before its lease ends keeps its attempt', async () => {
  const held = Promise.withResolvers<void>()
  const { worker } = program((own) => () => own.transaction().execute(() => held.promise))
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const told = next<Told>(worker, 'error')
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  await told
  held.resolve()
  await succeeded
  expect(await rows()).toEqual([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('what got no connection in time is not sent when there is one: nobody waits for it any more', async () => {
  const { pool, statements, worker } = program(() => () => {})
  const isFetch = (statement: string) => statement.startsWith('update') && statement.includes('skip locked')
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const taken = await pool.connect()
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  for (let failed = 0; failed < 2; failed++) {
    await next<Told>(worker, 'error', ({ doing }) => doing === 'fetching jobs')
  }
  const before = statements.filter(isFetch).length
  const claimed = next(worker, 'claimed')
  taken.release()
  await claimed
  expect(statements.filter(isFetch).length - before).toBe(1)
})

test('a statement takes over the place in the queue that another has given up: what waits at the pool does not pile up', async () => {
  const { pool, worker } = program(() => () => {})
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const taken = await pool.connect()
  for (let failed = 0; failed < 6; failed++) await next<Told>(worker, 'error')
  expect(pool.waitingCount).toBeLessThan(4)
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  taken.release()
  await succeeded
})
