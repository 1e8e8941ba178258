import { sql, type Transaction } from 'kysely'
import { cancelJobs, enqueue, FatalError, snooze } from 'kysely-jobs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { JobDatabase } from '../../src/schema/job-database.js'
import { lendTransaction } from '../../src/worker/batch/lent-transaction.js'
import { testDatabase } from '../support/database.js'
import { batchWorker, enqueueTogether, type StartBatches, send, startNew, startTried } from './batching.js'
import { weakHandle } from './leaving.js'
import { createMailTables, type MailDatabase, type MailJob, next } from './mail-jobs.js'

// Batches whose handler writes in the transaction that locks its jobs: one that follows their claim, or the claim's own.

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()
const statuses = async () =>
  Object.fromEntries((await rows()).map(({ to, status }) => [to, status.replace('job_status_', '')]))
const sent = async () => {
  const found = db.selectFrom('sent').innerJoin('mail_jobs', 'mail_jobs.id', 'sent.job_id').select(['to', 'attempt'])
  return (await found.orderBy('to').execute()).map(({ to, attempt }) => `${to} ${attempt}`)
}

/** A trigger, until the end of the test. */
async function trigger(when: string, body: string): Promise<void> {
  const on = when.includes('constraint') ? 'initially deferred for each row' : 'for each row'
  await sql.raw(`create function act() returns trigger language plpgsql as $$ begin ${body} end $$`).execute(db)
  await sql.raw(`create ${when} ${on} execute function act()`).execute(db)
  onTestFinished(() => sql`drop function act cascade`.execute(db).then(() => {}))
}

test('a table in a schema that is searched by nobody is served as any other', async () => {
  await sql`create schema apart`.execute(db)
  onTestFinished(() => sql`drop schema apart cascade`.execute(db).then(() => {}))
  const apart = db.withSchema('apart')
  await createMailTables(apart)
  const { worker, errors } = await startNew(apart, (jobs, { trx }) => send(trx.withSchema('apart'), jobs))
  const done = next(worker, 'succeeded')
  await enqueueTogether(apart, 'a')
  await done
  expect(await apart.selectFrom('sent').select('attempt').execute()).toEqual([{ attempt: 1 }])
  expect(errors).toEqual([])
})

describe.each<[string, StartBatches, string]>([
  ['that follows their claim', startNew, 'running'],
  ['that claims them', startTried, 'not_started'],
])('in a transaction %s', (_, start, seen) => {
  test('what a handler writes and the end of its jobs are one commit', async () => {
    const before: unknown[] = []
    const { worker, errors } = await start(db, async (jobs, { trx }) => {
      await send(trx, jobs)
      before.push(await sent(), [...new Set(Object.values(await statuses()))])
      expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'job_status_running'))
    })
    let left = 3
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b', 'c')
    await done
    expect(before).toEqual([[], [seen]])
    expect(await sent()).toEqual(['a 1', 'b 1', 'c 1'])
    const succeeded = { status: 'job_status_succeeded', attempts_count: 1, locked_by: null }
    expect(await rows()).toMatchObject([succeeded, succeeded, succeeded])
    expect(errors).toEqual([])
  })

  test('each job ends as it is said, and what was written is there', async () => {
    const { worker } = await start(db, async (jobs, { trx }) => {
      await send(trx, jobs)
      return new Map<MailJob, ReturnType<typeof snooze> | Error>([
        [jobs[1] as MailJob, new Error('no such address')],
        [jobs[2] as MailJob, new FatalError('never')],
        [jobs[3] as MailJob, snooze('5m')],
      ])
    })
    const done = Promise.all(['succeeded', 'retry', 'failed', 'snoozed'].map((event) => next(worker, event)))
    await enqueueTogether(db, 'a', 'b', 'c', 'd')
    await done
    expect(await rows()).toMatchObject([
      { status: 'job_status_succeeded', attempts_count: 1, locked_by: null },
      { status: 'job_status_retry', attempts_count: 1, last_error: expect.stringMatching(/^Error: no such address/) },
      { status: 'job_status_failed', attempts_count: 1, last_error: expect.stringMatching(/^FatalError: never/) },
      { status: 'job_status_not_started', attempts_count: 0 },
    ])
    expect(await sent()).toEqual(['a 1', 'b 1', 'c 1', 'd 1'])
  })

  test('jobs that a handler enqueues through the transaction are there when it has committed', async () => {
    const { worker } = await start(db, async (jobs, { trx }) => {
      if (jobs[0].to === 'first') await enqueue(trx, 'mail_jobs', { to: 'second' })
    })
    const done = next<{ job: MailJob }>(worker, 'succeeded', ({ job }) => job.to === 'second')
    await enqueueTogether(db, 'first')
    await done
    expect(await statuses()).toEqual({ first: 'succeeded', second: 'succeeded' })
  })

  test('what a handler wrote that then throws is undone, and all its jobs are tried again', async () => {
    const calls: number[] = []
    const { worker } = await start(
      db,
      async (jobs, { trx }) => {
        calls.push(jobs.length)
        await send(trx, jobs)
        throw new Error('the service is away')
      },
      { backoff: () => '1h' },
    )
    let left = 2
    const done = next(worker, 'retry', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await done
    const error = expect.stringMatching(/^Error: the service is away/)
    const retried = { status: 'job_status_retry', attempts_count: 1, last_error: error, locked_by: null }
    expect(await rows()).toMatchObject([retried, retried])
    expect(await sent()).toEqual([])
    expect(calls).toEqual([2]) // not by halves
  })

  test('by halves the one job is found at which a handler throws, and what all others wrote is there once', async () => {
    const calls: string[] = []
    const { worker, errors } = await start(
      db,
      async (jobs, { trx }) => {
        calls.push(jobs.map(({ to }) => to).join(''))
        await send(trx, jobs)
        if (jobs.some(({ to }) => to === 'f')) throw new FatalError('no such address')
      },
      { onError: 'bisect' },
    )
    const failed = next(worker, 'failed')
    let left = 7
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, ...'abcdefgh')
    await Promise.all([failed, done])
    expect(await statuses()).toMatchObject({ a: 'succeeded', e: 'succeeded', f: 'failed', g: 'succeeded' })
    expect(await sent()).toEqual([...'abcdegh'].map((to) => `${to} 1`))
    if (calls[0] === 'abcdefgh') expect(calls).toEqual(['abcdefgh', 'abcd', 'efgh', 'ef', 'e', 'f', 'gh'])
    expect(errors).toEqual([])
  })

  test('a job whose outcome the table refuses keeps none beside it from ending', async () => {
    await trigger(
      'trigger refuse before update on mail_jobs',
      `if new."to" = 'c' and new.status = 'job_status_succeeded' then raise 'not this one'; end if; return new;`,
    )
    const { worker } = await start(db, (jobs, { trx }) => send(trx, jobs))
    let left = 3
    const done = next(worker, 'succeeded', () => --left === 0)
    const retried = next<{ error: string }>(worker, 'retry')
    await enqueueTogether(db, ...'abcd')
    await done
    expect((await retried).error).toMatch(/^RefusedError: The handler ended well, but .*not this one/s)
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'succeeded', c: 'retry', d: 'succeeded' })
    expect(await sent()).toEqual(['a 1', 'b 1', 'd 1'])
  })

  test('what is refused at the commit costs none beside it its work', async () => {
    await trigger(
      'constraint trigger refuse after insert on sent',
      `if exists (select from mail_jobs where id = new.job_id and "to" = 'b') then raise 'not this one'; end if; return null;`,
    )
    const { worker } = await start(db, (jobs, { trx }) => send(trx, jobs))
    let left = 2
    const done = next(worker, 'succeeded', () => --left === 0)
    const retried = next<{ error: string }>(worker, 'retry')
    await enqueueTogether(db, ...'abc')
    await done
    expect((await retried).error).toMatch(/not this one/)
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'retry', c: 'succeeded' })
    expect(await sent()).toEqual(['a 1', 'c 1'])
  })

  test('a handler that swallows an error of its transaction has not done its jobs', async () => {
    const { worker } = await start(db, async (jobs, { trx }) => {
      await send(trx, jobs)
      if (jobs.some(({ to }) => to === 'b')) await sql`select 1 / 0`.execute(trx).catch(() => {})
    })
    const retried = next<{ error: string }>(worker, 'retry')
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a', 'b')
    await done
    expect((await retried).error).toMatch(/^RefusedError: .*caused by error: division by zero/s)
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'retry' })
    expect(await sent()).toEqual(['a 1'])
  })

  test('a handler that ends before its statements has not done its jobs, and says so', async () => {
    const written: Promise<unknown>[] = []
    const { worker } = await start(db, (jobs, { trx }) => {
      for (const job of jobs) written.push(send(trx, [job]).catch(() => {}))
    })
    let left = 2
    const retried = next<{ error: string }>(worker, 'retry', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    const { error } = await retried
    await Promise.all(written)
    expect(error).toMatch(/^LateStatementError: The handler ended before 2 of its statements had; await each statement/)
    expect(await statuses()).toEqual({ a: 'retry', b: 'retry' })
    expect(await sent()).toEqual([])
  })

  test('that a handler fails for many jobs and for none alone is told', async () => {
    const { worker, errors } = await start(
      db,
      (jobs) => {
        if (jobs.length > 1) throw new Error('one at a time')
      },
      { onError: 'bisect' },
    )
    let left = 2
    const told = next(worker, 'error')
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await Promise.all([done, told])
    expect(errors).toEqual(['handling 2 jobs at once, which went well by fewer: Error: one at a time'])
  })

  test('a statement that comes when its batch is over is refused, and nothing of it is written', async () => {
    const late = Promise.withResolvers<unknown>()
    const { worker } = await start(db, (jobs, { trx }) => {
      setTimeout(() => send(trx, jobs).then(() => late.resolve('written'), late.reject), 50)
    })
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await done
    await expect(late.promise).rejects.toThrow(/is over|already committed/) // ours, or Kysely's
    expect(await sent()).toEqual([])
  })

  test('what a batch wrote whose time is over is undone, and its jobs have timed out', async () => {
    const end = Promise.withResolvers<void>()
    const { worker } = await start(
      db,
      async (jobs, { trx }) => {
        await send(trx, jobs)
        await end.promise
      },
      { timeout: '300ms', maxAttempts: 1 },
    )
    let left = 2
    const done = next(worker, 'timedOut', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await done
    end.resolve()
    expect(await rows()).toMatchObject([
      { status: 'job_status_timed_out', attempts_count: 1, locked_by: null },
      { status: 'job_status_timed_out', attempts_count: 1, locked_by: null },
    ])
    expect(await sent()).toEqual([])
  })

  test('a statement of a handler waits for a lock as long as any other', async () => {
    await sql`insert into sent values ('11111111-1111-4111-8111-111111111111', 0)`.execute(db)
    const { worker } = await start(db, async (jobs, { trx }) => {
      await trx.updateTable('sent').set({ attempt: 7 }).execute()
      await send(trx, jobs)
    })
    const done = next(worker, 'succeeded')
    await db.transaction().execute(async (other) => {
      await other.updateTable('sent').set({ attempt: 1 }).execute()
      await enqueueTogether(db, 'a')
      const waits = sql`select from pg_locks where not granted and clock_timestamp() - waitstart > interval '200 ms'`
      await expect.poll(async () => (await waits.execute(db)).rows.length).toBeGreaterThan(0)
    })
    await done
    expect(await statuses()).toEqual({ a: 'succeeded' })
    expect(await db.selectFrom('sent').select('attempt').orderBy('attempt').execute()).toEqual([
      { attempt: 1 },
      { attempt: 7 },
    ])
  })

  test('a batch that is at work at the deadline of a stop is undone, and its jobs are handed back', async () => {
    const begun = Promise.withResolvers<void>()
    const { worker } = await start(db, async (jobs, { trx, signal }) => {
      await send(trx, jobs)
      begun.resolve()
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    let left = 2
    const released = next(worker, 'released', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await begun.promise
    await worker.stop({ deadline: 0 })
    await released
    const free = { status: 'job_status_not_started', attempts_count: 0, locked_by: null }
    expect(await rows()).toMatchObject([free, free])
    expect(await sent()).toEqual([])
  })

  test('what a handler wrote that does not end at the deadline of a stop is undone', async () => {
    const begun = Promise.withResolvers<void>()
    const { worker } = await start(db, async (jobs, { trx }) => {
      await send(trx, jobs)
      begun.resolve()
      await new Promise(() => {})
    })
    await enqueueTogether(db, 'a', 'b')
    await begun.promise
    await worker.stop({ deadline: 0 })
    const open = sql`select from pg_stat_activity where datname = current_database() and state like 'idle in%'`
    await expect.poll(async () => (await open.execute(db)).rows).toEqual([])
    expect(await sent()).toEqual([])
    await expect.poll(statuses).toEqual({ a: 'not_started', b: 'not_started' })
  })

  test('a batch that is at work within the deadline of a stop ends well', async () => {
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    const { worker } = await start(db, async (jobs, { trx }) => {
      begun.resolve()
      await end.promise
      await send(trx, jobs)
    })
    await enqueueTogether(db, 'a', 'b')
    await begun.promise
    const stopped = worker.stop()
    end.resolve()
    await stopped
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'succeeded' })
    expect(await sent()).toEqual(['a 1', 'b 1'])
  })

  test('a handler that is busy elsewhere for longer than a lease keeps its transaction', async () => {
    const end = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const { worker, errors } = await start(
      db,
      async (jobs, { trx }) => {
        await send(trx, jobs)
        begun.resolve()
        await end.promise
      },
      { lease: '1s' },
    )
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await begun.promise
    const now = async () => {
      const found = await sql<{ age: number }>`select extract(epoch from clock_timestamp() - xact_start)::float8 as age
        from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`.execute(db)
      return found.rows[0]?.age ?? 0
    }
    await expect.poll(now, { timeout: 20_000 }).toBeGreaterThan(1.5)
    end.resolve()
    await done
    expect(await sent()).toEqual(['a 1'])
    expect(errors).toEqual([])
  })

  test('a batch whose connection is cut is done again by whoever is next, and its writes are there once', async () => {
    const begun = Promise.withResolvers<void>()
    const cut = Promise.withResolvers<void>()
    let calls = 0
    const { worker } = await start(
      db,
      async (jobs, { trx }) => {
        calls += 1
        await send(trx, jobs)
        if (calls > 1) return
        begun.resolve()
        await cut.promise
      },
      { backoff: () => '10ms' },
    )
    let left = 2
    const done = next(worker, 'succeeded', () => --left === 0)
    await enqueueTogether(db, 'a', 'b')
    await begun.promise
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`.execute(db)
    cut.resolve()
    await done
    expect(await statuses()).toEqual({ a: 'succeeded', b: 'succeeded' })
    expect((await sent()).map((line) => line.slice(0, 1))).toEqual(['a', 'b'])
  })

  test('no other worker takes what a batch is at work on, of another kind neither', async () => {
    const end = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const { worker } = await start(db, async (jobs, { trx }) => {
      begun.resolve()
      await end.promise
      await send(trx, jobs)
    })
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await begun.promise
    const other = batchWorker(db, () => Promise.reject(new Error('it must not run')))
    await other.start()
    await expect.poll(() => other.health().lastFetch).toBeDefined()
    end.resolve()
    await done
    expect(await sent()).toEqual(['a 1'])
  })

  test('a job that is cancelled or deleted meanwhile waits for the commit of its batch', async () => {
    const end = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const { worker } = await start(db, async (jobs, { trx }) => {
      await send(trx, jobs)
      begun.resolve()
      await end.promise
    })
    const done = next(worker, 'succeeded')
    await enqueueTogether(db, 'a')
    await begun.promise
    const deleted = db.deleteFrom('mail_jobs').where('status', '!=', 'job_status_succeeded').executeTakeFirst()
    const waits = sql<{ waits: boolean }>`select exists (select from pg_locks where not granted) as waits`
    await expect.poll(async () => (await waits.execute(db)).rows[0]?.waits).toBe(true)
    end.resolve()
    await done
    expect((await deleted).numDeletedRows).toBe(0n)
    expect(await statuses()).toEqual({ a: 'succeeded' })
  })
})

test('a job that was cancelled before the transaction of its batch began is not in it', async () => {
  const { proxy, through } = await weakHandle(url)
  const calls: string[] = []
  const { worker } = await startNew(through, async (jobs, { trx }) => {
    calls.push(jobs.map(({ to }) => to).join(''))
    await send(trx, jobs)
  })
  const cancelled = Promise.withResolvers<void>()
  proxy.trap({
    moment: 'asking',
    matches: (statement) => /^(begin|start transaction)/.test(statement),
    sprung: (line) => {
      line.freeze()
      cancelJobs(db, 'mail_jobs', { where: (job) => job('to', '=', 'a') }).then(() => {
        line.thaw()
        cancelled.resolve()
      }, cancelled.reject)
    },
  })
  const done = next(worker, 'succeeded')
  await enqueueTogether(db, 'a', 'b')
  await cancelled.promise
  await done
  expect(await statuses()).toEqual({ a: 'cancelled', b: 'succeeded' })
  expect(calls).toEqual(['b'])
  expect(await sent()).toEqual(['b 1'])
})

test('what is asked of a lent transaction after it was taken back is refused, and so is what was not sent by then', async () => {
  await sql`insert into sent values ('11111111-1111-4111-8111-111111111111', 0)`.execute(db)
  await db.transaction().execute(async (trx) => {
    const lent = lendTransaction(trx as unknown as Transaction<JobDatabase>) // of any database
    const first = sql`select pg_sleep(0.05)`.execute(lent.trx)
    const second = sql`delete from sent`.execute(lent.trx)
    lent.takeBack()
    await expect(second).rejects.toMatchObject({ code: 'BATCH_OVER' })
    await expect(sql`delete from sent`.execute(lent.trx)).rejects.toMatchObject({ code: 'BATCH_OVER' })
    await first
  })
  expect(await db.selectFrom('sent').selectAll().execute()).toHaveLength(1)
})
