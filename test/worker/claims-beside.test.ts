import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

const mails = (count: number) => Array.from({ length: count }, (_, n) => ({ to: `mail ${n}` }))

/** A worker that listens, has seen that its handler is quick, and rests. */
async function quickWorker() {
  const worker = createWorker(db, 'mail_jobs', () => {}, { logger: quiet, listen: url, concurrency: 10 })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const listening = next(worker, 'listener', ({ state }: { state: string }) => state === 'listening')
  await worker.start()
  await listening
  const idle = next(worker, 'idle')
  await enqueue(db, 'mail_jobs', mails(200))
  await idle
  return worker
}

test('a job that comes while a claim is on its way is claimed meanwhile', async () => {
  const worker = await quickWorker()
  await sql`create function hold() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock(1); return new; end $$`.execute(db)
  await sql`create trigger hold before update on mail_jobs for each row when (new."to" = 'held') execute function hold()`.execute(
    db,
  )
  const holder = await db.startTransaction().execute()
  await sql`select pg_advisory_xact_lock(1)`.execute(holder)
  const claims = () =>
    sql<{ count: number }>`select count(*)::int from pg_stat_activity where wait_event = 'advisory'`.execute(db)
  await enqueue(db, 'mail_jobs', { to: 'held' })
  await expect.poll(async () => (await claims()).rows[0]?.count).toBe(1)
  const { id } = await enqueue(db, 'mail_jobs', { to: 'quick' })
  const status = () => db.selectFrom('mail_jobs').select('status').where('id', '=', id).executeTakeFirstOrThrow()
  await expect.poll(status).toEqual({ status: 'job_status_running' })
  const done = next(worker, 'succeeded', ({ job }: { job: { id: string } }) => job.id === id)
  await holder.rollback().execute()
  await done
})
