import { sql } from 'kysely'
import { cancel, exponential, retryIn, snooze, WorkerOptionError, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { ended, holder, manyOthers } from './holding.js'
import { createMailTables, type MailDatabase, mailWorker, next } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

const row = (to: string) => db.selectFrom('mail_jobs').selectAll().where('to', '=', to).executeTakeFirstOrThrow()
const rows = () => db.selectFrom('mail_jobs').selectAll().where('to', '!=', 'warm').orderBy('to').execute()

const { holding, enqueueHeld } = holder(db)

test('a job is written once, when it has ended, and others see it pending until then', async () => {
  await countWrites()
  const seen: string[] = []
  const { worker, errors } = await holding(async ({ to, status, attempts_count, locked_by }, { attempt, worker }) => {
    seen.push((await row(to)).status, status, `${attempts_count} ${attempt} ${locked_by === worker}`)
  })
  const done = ended(worker, 'ada')
  await enqueueHeld('ada')
  await done
  expect(seen).toEqual(['job_status_not_started', 'job_status_running', '1 1 true'])
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1, locked_by: null }])
  const writes = sql`select from writes where id = (select id from mail_jobs where "to" = 'ada')`
  expect((await writes.execute(db)).rows).toHaveLength(1)
  expect(errors).toEqual([])
})

/** Counts writes to jobs in a table of their own. */
async function countWrites(): Promise<void> {
  await sql`create table writes (id uuid)`.execute(db)
  await sql`create function note_write() returns trigger language plpgsql as
    $$ begin insert into writes values (new.id); return null; end $$`.execute(db)
  await sql`create trigger note_write after update on mail_jobs for each row execute function note_write()`.execute(db)
  onTestFinished(async () => {
    await sql`drop function note_write cascade`.execute(db)
    await sql`drop table writes`.execute(db)
  })
}

test('nobody else takes a job that is held', async () => {
  const held = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const { worker } = await holding(
    () => {
      begun.resolve()
      return held.promise
    },
    { lease: '60s' },
  )
  const done = ended(worker, 'ada')
  await enqueueHeld('ada')
  await begun.promise
  const other = mailWorker(db, () => Promise.reject(new Error('it must not run')))
  await other.start()
  await expect.poll(() => other.health().lastFetch).toBeDefined()
  held.resolve()
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('a handler that takes longer than a job is held goes on by a lease', async () => {
  const held = Promise.withResolvers<void>()
  const { worker, errors } = await holding(() => held.promise, { holdFor: '200ms' })
  const done = ended(worker, 'ada')
  await enqueueHeld('ada')
  await expect.poll(rows).toMatchObject([{ status: 'job_status_running', attempts_count: 1 }])
  await expect.poll(() => worker.health().leaseMargin).toBeGreaterThan(0) // once the commit is answered
  held.resolve()
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1, locked_by: null }])
  expect(errors).toEqual([])
})

test('a handler may write to its own row from another connection, and lock it: the hold ends before', async () => {
  const { worker } = await holding(
    async ({ id }) => {
      await db.updateTable('mail_jobs').set({ last_error: 'mine' }).where('id', '=', id).execute()
      await db.transaction().execute(async (trx) => {
        await trx.selectFrom('mail_jobs').select('id').where('id', '=', id).forUpdate().execute()
      })
    },
    { holdFor: '500ms' },
  )
  const done = ended(worker, 'ada')
  await enqueueHeld('ada')
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', last_error: 'mine' }])
})

test.each(['read committed', 'repeatable read', 'serializable'] as const)(
  'a handler completes its job in a transaction of its own (%s), with its effects, once',
  async (level) => {
    const { worker } = await holding(async ({ id }, { attempt, complete }) => {
      await db
        .transaction()
        .setIsolationLevel(level)
        .execute(async (trx) => {
          await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
          await complete(trx)
        })
    })
    const done = ended(worker, 'ada')
    await enqueueHeld('ada')
    await done
    expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
    expect(await db.selectFrom('sent').selectAll().execute()).toHaveLength(1)
  },
)

test('every outcome is what it is by a lease: of many, each its own', async () => {
  const outcomes: Record<string, () => unknown> = {
    fails: () => Promise.reject(new Error('no route')),
    'is cancelled': () => cancel('no need'),
    'retries in an hour': () => retryIn('1h', 'busy'),
    returns: () => {},
    snoozes: () => snooze('1h'),
  }
  const { errors } = await holding(({ to }) => outcomes[to]?.(), {
    backoff: exponential({ delay: '1h', jitter: 0 }),
  })
  await enqueueHeld(...Object.keys(outcomes))
  await expect
    .poll(async () => (await rows()).filter(({ updated_at, created_at }) => updated_at > created_at).length)
    .toBe(5)
  const inHours = (at: Date) => Math.round((at.getTime() - Date.now()) / 3_600_000)
  const left = (await rows()).map(({ to, status, attempts_count, run_at, last_error, locked_by }) => [
    ...[to, status, attempts_count, Math.max(0, inHours(run_at)), last_error?.split('\n')[0] ?? null, locked_by],
  ])
  expect(left).toEqual([
    ['fails', 'job_status_retry', 1, 1, 'Error: no route', null],
    ['is cancelled', 'job_status_cancelled', 1, 0, 'Cancelled: no need', null],
    ['retries in an hour', 'job_status_retry', 1, 1, 'busy', null],
    ['returns', 'job_status_succeeded', 1, 0, null, null],
    ['snoozes', 'job_status_not_started', 0, 1, null, null],
  ])
  expect(errors).toEqual([])
})

test('an outcome that the table refuses keeps none beside it from being written', async () => {
  await sql`alter table mail_jobs add constraint picky check (status <> 'job_status_succeeded' or "to" not like 'bad%')`.execute(
    db,
  )
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(db).then(() => {}))
  const { worker } = await holding(() => {}, { lease: '5s', holdFor: '1s', maxAttempts: 1 })
  const [good, bad] = [ended(worker, 'good'), ended(worker, 'bad', 'failed')]
  await enqueueHeld('bad', 'good')
  await Promise.all([good, bad])
  expect(await rows()).toMatchObject([
    { to: 'bad', status: 'job_status_failed', attempts_count: 1, last_error: expect.stringContaining('was refused') },
    { to: 'good', status: 'job_status_succeeded', attempts_count: 1 },
  ])
})

test('a row whose claim the table refuses keeps none beside it from going on by a lease', async () => {
  await sql`alter table mail_jobs add constraint picky check (status <> 'job_status_running' or "to" <> 'bad')`.execute(
    db,
  )
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(db).then(() => {}))
  const held = Promise.withResolvers<void>()
  const aborted: string[] = []
  const { worker } = await holding(
    ({ to }, { signal }) => {
      signal.addEventListener('abort', () => aborted.push(to))
      return held.promise
    },
    { holdFor: '1s' },
  )
  const names = ['a', 'bad', 'c', 'd']
  const [lost, ...good] = [ended(worker, 'bad', 'lost'), ...['a', 'c', 'd'].map((to) => ended(worker, to))]
  await enqueueHeld(...names)
  await lost
  held.resolve()
  await Promise.all(good)
  expect(aborted).toEqual(['bad'])
  expect((await rows()).map(({ status, attempts_count }) => [status, attempts_count])).toEqual([
    ['job_status_succeeded', 1],
    ['job_status_not_started', 0],
    ['job_status_succeeded', 1],
    ['job_status_succeeded', 1],
  ])
})

test('a row whose claim waits too long for a lock of its trigger runs again as soon as that is free', async () => {
  await sql`create function wait_for_test() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(1); return new; end $$`.execute(db)
  await sql`create trigger wait_for_test before update on mail_jobs for each row
    when (new.status = 'job_status_running' and new."to" = 'waits') execute function wait_for_test()`.execute(db)
  onTestFinished(() => sql`drop function wait_for_test cascade`.execute(db).then(() => {}))
  let runs = 0
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  const { worker } = await holding((_job, { signal }) => (++runs === 1 ? untilAborted(signal) : undefined), {
    holdFor: '1s',
  })
  const done = ended(worker, 'waits')
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(1)`.execute(trx)
    const lost = ended(worker, 'waits', 'lost')
    await enqueueHeld('waits')
    await lost
  })
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded' }])
})

test('of a connection that is cut while it holds jobs they are free at once, and none has lost an attempt', async () => {
  const held = sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`
  const free = sql`select from mail_jobs where "to" = 'ada' for update skip locked`
  const cut = () =>
    expect
      .poll(async () => {
        await held.execute(db) // that of others, too; its own may say something just now
        return (await free.execute(db)).rows.length
      })
      .toBe(1)
  const runs: string[] = []
  let cutting: Promise<void> | undefined
  const again = Promise.withResolvers<void>()
  const { worker } = await holding(async ({ to }) => {
    const count = runs.push(to)
    if (count === 4) again.resolve()
    if (count > 2) return
    cutting ??= cut()
    await cutting
    await again.promise // else its success may be that of the next claim, which the fence can't tell from its own
  })
  const done = [ended(worker, 'ada'), ended(worker, 'bob')]
  await enqueueHeld('ada', 'bob')
  await Promise.all(done)
  expect(runs.toSorted()).toEqual(['ada', 'ada', 'bob', 'bob'])
  expect(await rows()).toMatchObject([
    { status: 'job_status_succeeded', attempts_count: 1 },
    { status: 'job_status_succeeded', attempts_count: 1 },
  ])
})

test('a worker that stops leaves no hold: what runs ends by a lease, what has not begun is as it was', async () => {
  const held = Promise.withResolvers<void>()
  let running = 0
  const { worker } = await holding(
    () => {
      running += 1
      return held.promise
    },
    { concurrency: 25 },
  )
  await enqueueHeld(...Array.from({ length: 40 }, (_, n) => `${n}`))
  await expect.poll(() => running).toBe(25)
  const stopped = worker.stop()
  const inStatus = async (status: string) => (await rows()).filter((row) => row.status === status).length
  await expect.poll(() => inStatus('job_status_running')).toBe(25)
  held.resolve()
  expect(await stopped).toEqual({ left: 0 })
  expect(await inStatus('job_status_succeeded')).toBe(25)
  expect((await rows()).filter(({ attempts_count }) => attempts_count === 0)).toHaveLength(15)
})

test('a job whose handler is aborted at the deadline of a stop is handed back with its attempt', async () => {
  const begun = Promise.withResolvers<void>()
  const { worker } = await holding((_job, { signal }) => {
    begun.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await enqueueHeld('ada')
  await begun.promise
  expect(await worker.stop({ deadline: 0 })).toEqual({ left: 0 })
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started', attempts_count: 0, locked_by: null }])
})

test('jobs that end well are deleted where that is asked for', async () => {
  const { worker, errors } = await holding(() => {}, { succeeded: 'delete' })
  let left = 50
  const done = next<{ job: { to: string } }>(worker, 'succeeded', ({ job }) => job.to !== 'warm' && --left === 0)
  await enqueueHeld(...Array.from({ length: 50 }, (_, n) => `${n}`))
  await done
  expect(await rows()).toEqual([])
  expect(errors).toEqual([])
})

test('a job that was taken over from a dead worker is claimed by a lease, so that its attempts count', async () => {
  const { worker } = await holding(async ({ to }) => {
    expect(await row(to)).toMatchObject({ status: 'job_status_running', attempts_count: 2 })
  })
  const done = ended(worker, 'ada')
  await db.transaction().execute(async (trx) => {
    await sql.raw(manyOthers).execute(trx)
    await sql`insert into mail_jobs ("to", status, attempts_count, locked_at)
      values ('ada', 'job_status_retry', 1, timestamptz 'epoch' + interval '1 second')`.execute(trx)
  })
  await done
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 2 }])
})

test('many jobs are done once each by workers that hold them, side by side and beside one that leases', async () => {
  const workers = [...Array(2).fill({ hold: 'transaction' }), {}].map((options) => mailWorker(db, () => {}, options))
  const errors: unknown[] = []
  let left = 9_000
  const done = Promise.withResolvers<void>()
  for (const worker of workers) {
    worker.on('error', ({ error }) => errors.push(error))
    worker.on('succeeded', () => void (--left === 0 && done.resolve()))
  }
  await sql`insert into mail_jobs ("to") select 'many' from generate_series(1, 9000)`.execute(db)
  await Promise.all(workers.map((worker) => worker.start()))
  await done.promise
  const counts = await sql`select status, attempts_count, count(*)::int from mail_jobs group by 1, 2`.execute(db)
  expect(counts.rows).toEqual([{ status: 'job_status_succeeded', attempts_count: 1, count: 9_000 }])
  expect(errors).toEqual([])
})

test.each([
  [{ hold: 'row' }, /hold: "row" is invalid; give 'lease' or 'transaction'/],
  [{ holdFor: '30s' }, /holdFor: 30s is invalid; give at most a third of the lease/],
])('an option that no worker can work with is refused: %o', (options, message) => {
  const made = () => mailWorker(db, () => {}, options as WorkerOptions)
  expect(made).toThrow(WorkerOptionError)
  expect(made).toThrow(message)
})
