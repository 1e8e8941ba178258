import { type Kysely, sql } from 'kysely'
import { cancelJobs, enqueue, retryJobs, snooze } from 'kysely-jobs'
import { createJobArchive, createUniqueIndex } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { ended, holder, manyOthers } from './holding.js'
import { createMailTables, type MailDatabase, type MailHandler, mailWorker, next } from './mail-jobs.js'

// Unique jobs while workers run: what ends, is handed back or comes again beside a job of the same values is lost by nobody.

/** The table with two columns more, by which jobs are unique: with one more behind those that run, and without. */
interface Keyed {
  mail_jobs: MailDatabase['mail_jobs'] & { key: string | null; account: string | null }
}

const { db, pool } = await testDatabase<MailDatabase>(async (db) => {
  await createMailTables(db)
  await sql`alter table mail_jobs add key text, add account text`.execute(db)
  await createUniqueIndex(db, 'mail_jobs', ['key'], { whileRunning: 'queue' })
  await createUniqueIndex(db, 'mail_jobs', ['account'])
  await createJobArchive(db, 'mail_jobs')
})
const keyed: Kysely<Keyed> = db as Kysely<any>
const queue = { unique: ['key'], whileRunning: 'queue' } as const

beforeEach(() => sql`truncate mail_jobs, mail_jobs_archive`.execute(db))

const rows = () => db.selectFrom('mail_jobs').select(['to', 'status', 'attempts_count']).orderBy('to').execute()

/** A worker of one handler at a time, and what it told of errors. */
function made(handler: MailHandler, options: Parameters<typeof mailWorker>[2] = {}) {
  const worker = mailWorker(db, handler, { concurrency: 1, backoff: () => 0, ...options })
  const errors: string[] = []
  worker.on('error', ({ error, doing }) => errors.push(`${doing}: ${error}`))
  return { worker, errors }
}

test.each(['throws', 'snoozes'] as const)(
  'a job that %s while another is queued behind it runs again, and so does the other',
  async (how) => {
    let attempts = 0
    const { worker, errors } = made(async ({ to }) => {
      if (to !== 'first' || ++attempts > 1) return undefined
      expect((await enqueue(keyed, 'mail_jobs', { to: 'second', key: 'a' }, queue)).isNew).toBe(true)
      expect((await enqueue(keyed, 'mail_jobs', { to: 'third', key: 'a' }, queue)).isNew).toBe(false)
      if (how === 'throws') throw new Error('not yet')
      return snooze(0)
    })
    await enqueue(keyed, 'mail_jobs', { to: 'first', key: 'a' }, queue)
    let left = 2
    const all = next(worker, 'succeeded', () => --left === 0)
    await worker.start()
    await all
    expect(await rows()).toMatchObject([
      { to: 'first', status: 'job_status_succeeded', attempts_count: how === 'throws' ? 2 : 1 },
      { to: 'second', status: 'job_status_succeeded' },
    ])
    expect(errors).toEqual([])
  },
)

test('a job that is handed back at a shutdown while another is queued keeps its attempt, and both run elsewhere', async () => {
  const begun = Promise.withResolvers<void>()
  const { worker, errors } = made((_, { signal }) => {
    begun.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await enqueue(keyed, 'mail_jobs', { to: 'first', key: 'a' }, queue)
  await worker.start()
  await begun.promise
  expect((await enqueue(keyed, 'mail_jobs', { to: 'second', key: 'a' }, queue)).isNew).toBe(true)
  await worker.stop({ deadline: 0 })
  expect(errors).toEqual([])
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started', attempts_count: 0 }, { attempts_count: 0 }])
  const other = made(() => {})
  let left = 2
  const all = next(other.worker, 'succeeded', () => --left === 0)
  await other.worker.start()
  await all
  expect(await rows()).toMatchObject([{ attempts_count: 1 }, { attempts_count: 1 }])
})

test('what leaves the archive beside a job of the same values stays there, and is told', async () => {
  const { worker } = made(() => {}, { finished: 'archive' })
  const { id } = await enqueue(keyed, 'mail_jobs', { to: 'old', account: 'a' })
  const done = ended(worker, 'old')
  await worker.start()
  await done
  await worker.stop()
  const unique = ['account'] as const
  const { job, isNew } = await enqueue(keyed, 'mail_jobs', { to: 'new', account: 'a' }, { unique })
  expect(isNew).toBe(true)
  const refused = await retryJobs(db, 'mail_jobs', { ids: [id] })
  expect([...refused]).toEqual([])
  expect(refused.refused).toMatchObject([{ id, error: { code: '23505' } }])
  await cancelJobs(db, 'mail_jobs', { ids: [job.id] })
  expect(await retryJobs(db, 'mail_jobs', { ids: [id] })).toEqual([id])
})

test('a call that meets a job which is held by a transaction waits for its end, and one more is queued', async () => {
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { worker, errors } = await holder(db).holding(({ to }) => {
    if (to === 'held') begun.resolve()
    return to === 'held' ? go.promise : undefined
  })
  await keyed.transaction().execute(async (trx) => {
    await sql.raw(manyOthers).execute(trx)
    await enqueue(trx, 'mail_jobs', { to: 'held', key: 'a' }, queue)
  })
  await begun.promise
  expect(await rows()).toContainEqual({ to: 'held', status: 'job_status_not_started', attempts_count: 0 })
  const behind = enqueue(keyed, 'mail_jobs', { to: 'behind', key: 'a' }, queue)
  const waiting = sql<{
    waits: boolean
  }>`select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`
  await expect.poll(async () => (await waiting.execute(db)).rows[0]?.waits).toBe(true)
  const done = ended(worker, 'behind')
  go.resolve()
  expect((await behind).isNew).toBe(true)
  await done
  expect(errors).toEqual([])
})

test('a worker that sleeps until a job is due hears that it is due earlier', async () => {
  const { worker } = made(() => {}, { listen: pool, pollInterval: '10m' })
  await enqueue(keyed, 'mail_jobs', { to: 'later', account: 'a' }, { unique: ['account'], delay: '1h' })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const done = ended(worker, 'later')
  await enqueue(keyed, 'mail_jobs', { to: 'now', account: 'a' }, { unique: ['account'], onConflict: 'keepEarliest' })
  await done
})
