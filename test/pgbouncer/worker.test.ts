import { sql } from 'kysely'
import { createWorker, enqueue, linear, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished } from 'vitest'
import { everyVerb } from '../compat/every-verb.js'
import { type MailDatabase, next, quiet } from '../worker/mail-jobs.js'
import { pooledDatabase, test } from './pooled.js'

const { db, direct } = await pooledDatabase()

beforeEach(async ({ task }) => {
  if (task.mode === 'skip') return
  await direct.deleteFrom('mail_jobs').execute()
  await direct.deleteFrom('sent').execute()
})

type MailHandler = Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2]

function worker(handler: MailHandler, options: WorkerOptions = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '50ms', ...options })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

const rows = () => direct.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('every verb does what it does without a pooler', async () => {
  await everyVerb(db, 'mail_jobs', (n) => ({ to: `${n}` }))
})

test('more jobs run at a time than there are sessions, each once', async () => {
  const names = Array.from({ length: 200 }, (_, n) => ({ to: `${n}` }))
  await enqueue(db, 'mail_jobs', names)
  const busy = worker(
    async ({ id }, { attempt }) => {
      await db.insertInto('sent').values({ job_id: id, attempt }).execute()
    },
    { concurrency: 20 },
  )
  const idle = next(busy, 'idle')
  await busy.start()
  await idle
  const jobs = await rows()
  expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(['job_status_succeeded']))
  expect(await direct.selectFrom('sent').select('job_id').distinct().execute()).toHaveLength(200)
  expect(await direct.selectFrom('sent').select('attempt').where('attempt', '>', 1).execute()).toEqual([])
})

test('a job that fails is tried again, and fails for good after its last attempt', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const failing = worker(() => Promise.reject(new Error('no route')), { maxAttempts: 2, backoff: linear({ delay: 0 }) })
  const failed = next(failing, 'failed')
  await failing.start()
  await failed
  expect(await rows()).toMatchObject([
    { status: 'job_status_failed', attempts_count: 2, last_error: expect.stringContaining('no route') },
  ])
})

test('the lease of a long attempt is renewed', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const lockedAt = async () => (await rows())[0]?.locked_at?.getTime() ?? 0
  const long = worker(
    async () => {
      const claimed = await lockedAt()
      while ((await lockedAt()) === claimed);
    },
    { lease: '1s' },
  )
  const succeeded = next(long, 'succeeded')
  await long.start()
  await succeeded
  expect(await rows()).toMatchObject([{ attempts_count: 1 }])
})

test('effects and completion commit together, or not at all', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'eve' }])
  const completing = worker(
    async ({ id, to }, { attempt, complete }) => {
      await db.transaction().execute(async (trx) => {
        await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
        await complete(trx)
        if (to === 'eve') throw new Error('changed my mind')
      })
    },
    { maxAttempts: 1 },
  )
  const idle = next(completing, 'idle')
  await completing.start()
  await idle
  const [ada, eve] = await rows()
  expect([ada?.status, eve?.status]).toEqual(['job_status_succeeded', 'job_status_failed'])
  expect(await direct.selectFrom('sent').select('job_id').execute()).toEqual([{ job_id: ada?.id }])
})

test('what a worker that is gone has left runs again', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await sql`update mail_jobs set status = 'job_status_running', attempts_count = 1, locked_by = gen_random_uuid(),
    locked_at = now() - interval '1 hour'`.execute(direct)
  const rescuer = worker(async () => {})
  const succeeded = next(rescuer, 'succeeded')
  await rescuer.start()
  await succeeded
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 2 }])
})

test('a stop aborts what runs at its deadline, and leaves no lease', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const begun = Promise.withResolvers<void>()
  const stopped = worker(async (_job, { signal }) => {
    begun.resolve()
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await stopped.start()
  await begun.promise
  expect(await stopped.stop({ deadline: 0 })).toEqual({ left: 0 })
  expect((await rows()).map(({ locked_by }) => locked_by)).toEqual([null])
})

test('a statement that takes its time is left alone', async () => {
  await expect(sql`select pg_sleep(1.2)`.execute(db)).resolves.toBeDefined()
})

test('nothing of a worker stays in the sessions that it used', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const tidy = worker((_job, { complete }) => db.transaction().execute((trx) => complete(trx)))
  const idle = next(tidy, 'idle')
  await tidy.start()
  await idle
  await tidy.stop()
  // both at once, so that each is asked in a session of its own
  const left = await Promise.all([leftInSession(), leftInSession()])
  expect(new Set(left.map(({ pid }) => pid)).size).toBe(2)
  for (const { pid: _, ...things } of left) {
    expect(things).toEqual({ statements: '0', channels: '0', locks: '0', settings: null, tables: '0' })
  }
})

/** What a session keeps from one transaction to the next; PgBouncer itself carries some settings of its clients along. */
async function leftInSession() {
  const { rows } = await sql<Record<string, string | null>>`select pg_backend_pid() as pid,
    (select count(*) from pg_prepared_statements) as statements,
    (select count(*) from pg_listening_channels()) as channels,
    (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks,
    (select string_agg(name, ', ') from pg_settings where source = 'session' and name not in
      ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')) as settings,
    (select count(*) from pg_class where relpersistence = 't' and pg_table_is_visible(oid)) as tables
    from pg_sleep(0.2)`.execute(db)
  return rows[0]!
}
