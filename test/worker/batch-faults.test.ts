import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { enqueue, FatalError } from 'kysely-jobs'
import { createJobArchive, dropJobArchive } from 'kysely-jobs/migrate'
import Cursor from 'pg-cursor'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { enqueueTogether, type MailBatchHandler, type StartBatches, send, startNew, startTried } from './batching.js'
import { weakHandle } from './leaving.js'
import { createMailTables, type MailDatabase, type MailJob, next } from './mail-jobs.js'

// What can go wrong while a batch is handled in its transaction, and what is told of each of its jobs.

const { db, pool, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

type Told = { job: MailJob; error?: string }

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()
const statuses = async () =>
  Object.fromEntries((await rows()).map(({ to, status }) => [to, status.replace('job_status_', '')]))
const sent = async () => (await db.selectFrom('sent').selectAll().execute()).length
const sending: MailBatchHandler<'transaction'> = (jobs, { trx }) => send(trx, jobs)
const cut = () =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`.execute(db)

describe.each<[string, StartBatches, boolean]>([
  ['that follows their claim', startNew, false],
  ['that claims them', startTried, true],
])('in a transaction %s', (_, start, isHeld) => {
  test('what a half has done is told when it is committed, and no timeout of the other half changes it', async () => {
    const { worker } = await start(
      db,
      async (jobs, { trx, signal }) => {
        await send(trx, jobs)
        if (jobs.length > 1) throw new Error('by halves')
        if (jobs[0].to === 'b') await sleep(60_000, undefined, { signal })
      },
      { onError: 'bisect', timeout: '600ms', backoff: () => '1h' },
    )
    const told: string[] = []
    worker.on('succeeded', ({ job }) => told.push(`${job.to} succeeded`))
    worker.on('retry', ({ job, error }) => told.push(`${job.to} ${error}`))
    const retried = next(worker, 'retry')
    await enqueueTogether(db, 'a', 'b')
    await retried
    expect(told).toEqual(['a succeeded', 'b Timeout reached'])
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'retry' })
    expect(await sent()).toBe(1)
  })

  test('after the deadline of a stop no half is handled any more', async () => {
    const calls: string[] = []
    const alone = Promise.withResolvers<void>()
    const { worker } = await start(
      db,
      async (jobs) => {
        calls.push(jobs.map(({ to }) => to).join(''))
        if (jobs.length > 1) throw new Error('by halves')
        alone.resolve()
        await new Promise(() => {})
      },
      { onError: 'bisect' },
    )
    await enqueueTogether(db, ...'abcd')
    await alone.promise
    const before = calls.length
    await worker.stop({ deadline: 0 })
    const open = sql`select from pg_stat_activity where datname = current_database() and state like 'idle in%'`
    await expect.poll(async () => (await open.execute(db)).rows).toEqual([])
    await expect
      .poll(async () => Object.values(await statuses()).every((status) => status === 'not_started'))
      .toBe(true)
    expect(calls).toHaveLength(before)
  })

  test('a table that has changed under a worker costs no job its attempt', async () => {
    await sql`alter table mail_jobs add column finished_at timestamptz`.execute(db)
    onTestFinished(() => sql`alter table mail_jobs drop column if exists finished_at`.execute(db).then(() => {}))
    const { worker } = await start(db, sending, { maxAttempts: 1 })
    await sql`alter table mail_jobs drop column finished_at`.execute(db)
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await done
    expect(await sent()).toBe(1)
  })

  test('an archive that has become unfit costs no job its attempt: it is kept', async () => {
    await createJobArchive(db, 'mail_jobs')
    onTestFinished(() => dropJobArchive(db, 'mail_jobs').then(() => {}))
    const { worker } = await start(db, sending, { succeeded: 'archive', maxAttempts: 1 })
    await sql`alter table mail_jobs add column extra text`.execute(db)
    onTestFinished(() => sql`alter table mail_jobs drop column extra`.execute(db).then(() => {}))
    let left = 3
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b', 'c')
    await done
    expect(await sent()).toBe(3)
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'succeeded', c: 'succeeded' })
  })

  test('a job that the archive refuses succeeds, and is kept', async () => {
    await createJobArchive(db, 'mail_jobs')
    onTestFinished(() => dropJobArchive(db, 'mail_jobs').then(() => {}))
    await sql`alter table mail_jobs_archive add check ("to" <> 'c')`.execute(db)
    const { worker } = await start(db, sending, { succeeded: 'archive' })
    let left = 3
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b', 'c')
    await done
    expect(await statuses()).toEqual({ c: 'succeeded' })
    expect(await sent()).toBe(3)
  })

  test('a handler that is busy elsewhere as its connection is cut is told', async () => {
    const begun = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<string>()
    let calls = 0
    const { worker } = await start(
      db,
      async (jobs, { trx, signal }) => {
        await send(trx, jobs)
        if (++calls > 1) return
        begun.resolve()
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            aborted.resolve(signal.reason.code)
            reject(signal.reason)
          }),
        )
      },
      { lease: '1s', backoff: () => '10ms' },
    )
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await begun.promise
    await cut()
    expect(await aborted.promise).toBe('LEASE_LOST')
    await done
    expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: isHeld ? 1 : 2 }])
    expect(await sent()).toBe(1)
  })

  test('a transaction that its handler has ended counts for nothing', async () => {
    let calls = 0
    const { worker } = await start(
      db,
      async (jobs, { trx }) => {
        await send(trx, jobs)
        if (++calls === 1) await sql`rollback`.execute(trx)
      },
      { backoff: () => '10ms' },
    )
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await done
    expect(await sent()).toBe(1)
    expect(await statuses()).toEqual({ a: 'succeeded' })
  })

  test("a handler's error is that of its jobs, also where its connection was cut", async () => {
    const { worker } = await start(
      db,
      async () => {
        await cut()
        throw new FatalError('never')
      },
      { maxAttempts: 3 },
    )
    const failed = next<Told>(worker, 'failed')
    await enqueueTogether(db, 'a')
    expect((await failed).error).toMatch(/^FatalError: never/)
  })

  test('a batch whose transaction gave way to another is handled again, whole and in the same attempt', async () => {
    await sql`create sequence tries`.execute(db)
    await sql`create function act() returns trigger language plpgsql as $$ begin
      if new."to" <> 'warm' and new.status = 'job_status_succeeded' and nextval('tries') < 3 then
        raise 'deadlock' using errcode = '40P01'; end if; return new; end $$`.execute(db)
    await sql`create trigger act before update on mail_jobs for each row execute function act()`.execute(db)
    onTestFinished(() => sql`drop function act cascade; drop sequence tries`.execute(db).then(() => {}))
    const calls: number[] = []
    const { worker, errors } = await start(db, async (jobs, { trx }) => {
      calls.push(jobs.length)
      await send(trx, jobs)
    })
    let left = 2
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await done
    expect((await rows()).map(({ attempts_count }) => attempts_count)).toEqual([1, 1])
    expect(calls).toEqual([2, 2, 2])
    expect(await sent()).toBe(2)
    expect(errors).toEqual([])
  })

  test('a stream that a handler leaves open is closed, and has not done its jobs', async () => {
    const streaming = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool, cursor: Cursor }) })
    let calls = 0
    const { worker } = await start(
      streaming,
      async (jobs, { trx }) => {
        await send(trx, jobs)
        if (++calls === 1) await trx.selectFrom('mail_jobs').selectAll().stream(1)[Symbol.asyncIterator]().next()
      },
      { backoff: () => '10ms' },
    )
    const retried = next<Told>(worker, 'retry')
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    expect((await retried).error).toMatch(/^LateStatementError: /)
    await done
    expect(await sent()).toBe(1)
  })

  test('a handler that waits for a statement behind its own stream is ended by its timeout', async () => {
    const streaming = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool, cursor: Cursor }) })
    const { worker } = await start(
      streaming,
      async (_, { trx }) => {
        for await (const _row of trx.selectFrom('mail_jobs').selectAll().stream(1))
          await trx.selectFrom('sent').selectAll().execute()
      },
      { timeout: '300ms', maxAttempts: 1 },
    )
    const timedOut = next(worker, 'timedOut')
    await enqueueTogether(db, 'a')
    await timedOut
    expect(await statuses()).toEqual({ a: 'timed_out' })
  })

  test('a batch that is to leave the table waits for whoever refers to its jobs', async () => {
    await sql`create table notes (job_id uuid references mail_jobs (id) on delete cascade)`.execute(db)
    onTestFinished(() => sql`drop table notes`.execute(db).then(() => {}))
    const { errors } = await start(db, sending, { succeeded: 'delete' })
    const { id } = await enqueue(db, 'mail_jobs', { to: 'a' }, { delay: '1h' })
    const referring = await db.startTransaction().execute()
    onTestFinished(() =>
      referring
        .rollback()
        .execute()
        .catch(() => {}),
    ) // where it has not ended
    await sql`insert into notes values (${id})`.execute(referring)
    await db
      .updateTable('mail_jobs')
      .set({ run_at: new Date(0) })
      .execute()
    await enqueueTogether(db, 'b')
    const waits = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    const isPassed = async () => !('b' in (await statuses())) || (await waits.execute(db)).rows.length > 0
    await expect.poll(isPassed).toBe(true)
    expect(await statuses()).toHaveProperty('a')
    await referring.commit().execute()
    await expect.poll(statuses).toEqual({})
    expect(errors).toEqual([])
  })
})

test('a batch whose transaction does not begin is released, and no attempt counts', async () => {
  const { proxy, through } = await weakHandle(url)
  const { worker, errors } = await startNew(through, sending, { maxAttempts: 1 })
  const cut = proxy.cut('before', (statement) => /^(begin|start transaction)/.test(statement))
  const released = next(worker, 'released')
  const done = next(worker, 'succeeded')
  await enqueueTogether(db, 'a')
  await Promise.all([cut, released, done])
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
  expect(errors.some((error) => error.startsWith('beginning the transaction of a batch of 1 jobs'))).toBe(true)
})

test('a batch that has all connections of its pool keeps its jobs for longer than a lease', async () => {
  const { through } = await weakHandle(url, undefined, 1)
  const { worker } = await startNew(
    through,
    async (jobs, { trx, signal }) => {
      await sleep(2_000, undefined, { signal })
      await send(trx, jobs)
    },
    { lease: '1s' },
  )
  const done = next(worker, 'succeeded')
  await enqueueTogether(db, 'a')
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('the jobs of a batch that took longer than a lease, and failed, are not taken for those of a dead worker', async () => {
  const { worker } = await startNew(
    db,
    async (jobs, { trx }) => {
      await send(trx, jobs)
      if (jobs.length > 1) await sleep(1_300)
      if (jobs.length > 1) throw new Error('by halves')
    },
    { lease: '1s', onError: 'bisect', pollInterval: '20ms' },
  )
  let left = 4
  const done = next(worker, 'succeeded', () => --left === 0)
  await enqueueTogether(db, ...'abcd')
  await done
  expect((await rows()).map(({ attempts_count }) => attempts_count)).toEqual([1, 1, 1, 1])
  expect(await sent()).toBe(4)
})

test('a batch has its jobs in their order, whatever attempts they have had', async () => {
  const orders: string[] = []
  await enqueueTogether(db, ...'abcd')
  await sql`update mail_jobs set attempts_count = 1, status = 'job_status_retry' where "to" in ('b', 'd')`.execute(db)
  const { worker } = await startNew(db, (jobs) => void orders.push(jobs.map(({ to }) => to).join('')))
  let left = 4
  const done = next(worker, 'succeeded', () => --left === 0)
  await done
  expect(orders).toEqual(['abcd'])
})
