import { Kysely, PostgresDialect, sql } from 'kysely'
import { enqueue, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, type MailHandler, mailWorker, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const worker = (handler: MailHandler, options: WorkerOptions = {}) => mailWorker(db, handler, options)

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('a worker that stops lets its handlers end and claims no more', async () => {
  const held = Promise.withResolvers<void>()
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(() => held.promise, { concurrency: 1 })
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  await enqueue(db, 'mail_jobs', { to: 'b' })
  const stopping = made.stop()
  held.resolve()
  expect(await stopping).toEqual({ left: 0 })
  expect(await rows()).toMatchObject([
    { to: 'a', status: 'job_status_succeeded' },
    { to: 'b', status: 'job_status_not_started', attempts_count: 0 },
  ])
})

test('a worker has stopped when what its handlers did is written, and not before', async () => {
  const held = Promise.withResolvers<void>()
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(() => held.promise)
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  let over = false
  const stopping = await db.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').selectAll().forUpdate().execute()
    const stopped = made.stop().then(() => {
      over = true
    })
    held.resolve()
    await expect.poll(() => made.health().running).toBe(0)
    expect(over).toBe(false)
    return { stopped }
  })
  await stopping.stopped
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('at the deadline handlers are aborted; one that heeds its signal hands its job back with its attempt', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const codes: string[] = []
  const made = worker(
    (_job, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          codes.push(signal.reason.code)
          reject(signal.reason)
        })
      }),
  )
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  expect(await made.stop({ deadline: 10 })).toEqual({ left: 0 })
  expect(codes).toEqual(['SHUTDOWN'])
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started', attempts_count: 0, locked_by: null }])
})

test('a handler that ignores its signal is left behind, and its job stays leased', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(() => new Promise(() => {}))
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  expect(await made.stop({ deadline: 0 })).toEqual({ left: 1 })
  expect(await rows()).toMatchObject([{ status: 'job_status_running', attempts_count: 1 }])
})

test('jobs that were claimed ahead and not begun are handed back at once', async () => {
  const held = Promise.withResolvers<void>()
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 2000)`.execute(db)
  let isAhead = false
  const made = worker(
    async () => {
      if (isAhead) await held.promise
    },
    { concurrency: 2 },
  )
  const ahead = next(made, 'claimed', ({ jobs }: { jobs: unknown[] }) => {
    isAhead ||= jobs.length > 20
    return isAhead
  })
  await made.start()
  await ahead
  const released = next(made, 'released')
  const stopping = made.stop()
  await released
  held.resolve()
  await stopping
  const left = (await rows()).filter(({ status }) => status !== 'job_status_succeeded')
  expect(left.length).toBeGreaterThan(0)
  for (const row of left)
    expect(row).toMatchObject({ status: 'job_status_not_started', attempts_count: 0, locked_by: null })
})

test('jobs that were being fetched when the worker stopped are handed back', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const held = await db.startTransaction().execute()
  onTestFinished(() =>
    held
      .rollback()
      .execute()
      .catch(() => {}),
  ) // where it failed, others go on
  await sql`lock table mail_jobs in exclusive mode`.execute(held)
  const made = worker(() => Promise.reject(new Error('it must not run')))
  await made.start()
  const waitingFetches = sql<object>`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and query like 'update %set "status" = ''job_status_running''%'` // whatever else waits, a rescue or a look
  await expect.poll(async () => (await waitingFetches.execute(db)).rows.length, { timeout: 20_000 }).toBe(1)
  const stopping = made.stop()
  await held.rollback().execute()
  expect(await stopping).toEqual({ left: 0 })
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started', attempts_count: 0, locked_by: null }])
})

test('what still waits for a connection when the worker has stopped is not sent any more', async () => {
  const [taken, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const pool = quietPool({ connectionString: url, max: 1 })
  await using narrow = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  const takeConnection = () => {
    const hold = () => {
      taken.resolve()
      return held.promise
    }
    void narrow.connection().execute(hold)
  }
  const logger = { ...quiet, warn: takeConnection } // of its pool, before it sends a fetch and a rescue
  const made = mailWorker(narrow, () => Promise.reject(new Error('it must not run')), { logger })
  await made.start()
  await taken.promise
  expect(await made.stop({ deadline: 0 })).toEqual({ left: 0 })
  await enqueue(db, 'mail_jobs', [{ to: 'due' }, { to: 'expired' }])
  await db
    .updateTable('mail_jobs')
    .set({ status: 'job_status_running', attempts_count: 1, locked_at: sql`now() - interval '1 hour'` })
    .where('to', '=', 'expired')
    .execute()
  const before = await rows()
  held.resolve()
  await sql`select`.execute(narrow) // behind whatever waited
  expect(await rows()).toEqual(before)
})

test('a rescue that is under way is waited for', async () => {
  await sql`create function wait_for_test() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(1); return new; end $$`.execute(db)
  await sql`create trigger wait_for_test before update on mail_jobs for each row
    when (new.status = 'job_status_retry') execute function wait_for_test()`.execute(db)
  onTestFinished(() => sql`drop function wait_for_test cascade`.execute(db).then(() => {}))
  await enqueue(db, 'mail_jobs', { to: 'expired' })
  await db.updateTable('mail_jobs').set({ status: 'job_status_running', attempts_count: 1, locked_at: null }).execute()
  const made = worker(async () => {})
  let over = false
  const stopped = await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(1)`.execute(trx)
    const idle = next(made, 'idle')
    await made.start()
    await idle
    const waiting = sql`select from pg_locks where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`
    await expect.poll(async () => (await waiting.execute(db)).rows.length).toBe(1)
    const stopping = made.stop().then(() => {
      over = true
    })
    await waiting.execute(db) // whatever a stop does beside is done by then
    expect(over).toBe(false)
    return { stopping }
  })
  await stopped.stopping
  expect(await rows()).toMatchObject([{ status: 'job_status_retry' }])
})

test('stopping twice is harmless, and a later call brings the deadline forward', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(() => new Promise(() => {}))
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  const patient = made.stop({ deadline: '1h' })
  expect(await made.stop({ deadline: 0 })).toEqual({ left: 1 })
  expect(await patient).toEqual({ left: 1 })
  expect(await made.stop()).toEqual({ left: 1 })
})

test('a worker that was never started can be stopped, and starts no more', async () => {
  const made = worker(async () => {})
  expect(await made.stop()).toEqual({ left: 0 })
  await expect(made.start()).rejects.toThrow('create another')
})

test('starting twice is starting once', async () => {
  await using made = worker(async () => {})
  await Promise.all([made.start(), made.start()])
  expect(made.health()).toMatchObject({ state: 'running', alive: true, listener: 'off', running: 0 })
})

test('stopping while it starts ends the start', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(async () => {})
  const starting = made.start()
  expect(await made.stop()).toEqual({ left: 0 })
  await starting
  expect(made.health()).toMatchObject({ state: 'stopped', alive: false })
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started' }])
})

test('a worker that starts while the database does not answer stops at once', async () => {
  const held = await db.startTransaction().execute()
  await sql`lock table pg_catalog.pg_class in access exclusive mode`.execute(held)
  const made = worker(async () => {})
  const starting = made.start()
  expect(await made.stop({ deadline: '1h' })).toEqual({ left: 0 })
  await held.rollback().execute()
  await starting
})

test('an outcome that could not be written when the worker stopped is not tried any more, and told to be lost', async () => {
  await enqueue(db, 'mail_jobs', { to: 'a' })
  const made = worker(() => sql`alter table mail_jobs rename to hidden_jobs`.execute(db))
  const refused = next(made, 'error', ({ doing }: { doing: string }) => doing === 'writing 1 outcomes')
  const lost = next<{ reason: Error }>(made, 'lost')
  await made.start()
  await refused
  expect(await made.stop({ deadline: 0 })).toEqual({ left: 0 })
  expect((await lost).reason.message).toContain('could not be written before the stop')
  await sql`alter table hidden_jobs rename to mail_jobs`.execute(db)
  expect(await rows()).toMatchObject([{ status: 'job_status_running' }])
})
