import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { createMailTables, type MailDatabase, mailWorker, next } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

test('a job that came while nobody listened is found as soon as the listener is back', async () => {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  const worker = mailWorker(db, async () => {}, { listen: proxy.url, lease: '10m', pollInterval: '1h' })
  const told = (state: string) => next<{ state: string }>(worker, 'listener', (change) => change.state === state)
  const listening = told('listening')
  await worker.start()
  await listening
  const away = told('connecting').then(() => next(worker, 'idle')) // it has looked, and found nothing
  proxy.hold()
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'kysely-jobs listener' and datname = current_database()`.execute(db)
  await away
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  proxy.heal()
  await succeeded // its next look is far off
})
