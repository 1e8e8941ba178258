import { sql } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

test('where outcomes are written slowly, handlers wait: no more than about 2,000 have run whose outcome is not written', async () => {
  await sql`create function dawdle() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.001); return new; end $$`.execute(db)
  await sql`create trigger dawdle before update on mail_jobs for each row
    when (new.status = 'job_status_succeeded' and random() < 0.2) execute function dawdle()`.execute(db)
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 6000)`.execute(db)
  let run = 0
  let written = 0
  let mostUnwritten = 0
  const handler = () => {
    run += 1
    mostUnwritten = Math.max(mostUnwritten, run - written)
  }
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, concurrency: 50 })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  made.on('succeeded', () => {
    written += 1
  })
  const idle = next(made, 'idle')
  await made.start()
  await idle
  expect(written).toBe(6000)
  expect(mostUnwritten).toBeLessThanOrEqual(2_050)
})
