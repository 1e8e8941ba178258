import { Kysely, PostgresDialect, sql } from 'kysely'
import { enqueue, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { createMailTables, type MailDatabase, type MailHandler, mailWorker, next } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const worker = (handler: MailHandler, options: WorkerOptions, through = db) => mailWorker(through, handler, options)

/** A handle whose every statement takes the way of a proxy. */
function handleOn(connectionString: string): Kysely<MailDatabase> {
  return new Kysely({ dialect: new PostgresDialect({ pool: quietPool({ connectionString }) }) })
}

const rows = () => db.selectFrom('mail_jobs').selectAll().execute()

test('jobs of a fetch that answers when nobody waits for it any more are handed back, and run', async () => {
  const slow = await startProxy(url)
  onTestFinished(slow.close)
  const made = worker(async () => {}, { lease: '1s' }, handleOn(slow.url))
  const idle = next(made, 'idle')
  await made.start()
  await idle
  slow.delay(200) // there, and back again: more than the third of a lease for which a fetch is waited for
  const late = next(made, 'error', ({ doing }: { doing: string }) => doing === 'fetching jobs')
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await late
  slow.heal()
  await succeeded
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('a lease counts from when its claim, or its renewal, was sent: never longer than the database lets it live', async () => {
  const slow = await startProxy(url)
  onTestFinished(slow.close)
  const held = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const made = worker(
    () => {
      begun.resolve()
      return held.promise
    },
    { lease: '3s' },
    handleOn(slow.url),
  )
  const left = sql<{ left: number }>`
    select extract(epoch from locked_at + interval '3 s' - clock_timestamp())::float8 * 1000 as left from mail_jobs`
  const margin = () => made.health().leaseMargin ?? 0
  const expectNoLonger = async () => {
    const { rows } = await left.execute(db)
    expect(margin()).toBeLessThanOrEqual(rows[0]?.left ?? 0)
  }
  const idle = next(made, 'idle')
  await made.start()
  await idle
  slow.delay(100) // there, and back again
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await begun.promise
  await expectNoLonger()
  const often = { timeout: 10_000, interval: 5 }
  await expect.poll(margin, often).toBeLessThan(2_000) // a third is spent: a renewal is sent
  await expect.poll(margin, often).toBeGreaterThan(2_000)
  await expectNoLonger()
  slow.heal()
  held.resolve()
  await next(made, 'succeeded')
})

test('an outcome that can not be written within its lease is given up, and told to be lost', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const made = worker(() => sql`alter table mail_jobs rename to hidden_jobs`.execute(db), { lease: '1s' })
  const lost = next<{ reason: Error }>(made, 'lost')
  await made.start()
  expect((await lost).reason.message).toContain('its outcome could not be written within the lease')
  await sql`alter table hidden_jobs rename to mail_jobs`.execute(db)
})
