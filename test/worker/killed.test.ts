import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

test('a process that is killed while it works off many jobs costs none an attempt that no handler saw', async () => {
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 5000)`.execute(db)
  const trace = join(mkdtempSync(join(tmpdir(), 'killed-')), 'begun')
  const child = fork(new URL('mortal-process.ts', import.meta.url), [url, '600', '{"maxAttempts":1}', trace])
  onTestFinished(() => void child.kill('SIGKILL'))
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  const begun = new Set(readFileSync(trace, 'utf8').trim().split('\n'))
  const running = await db.selectFrom('mail_jobs').select('id').where('status', '=', 'job_status_running').execute()
  expect(running.filter(({ id }) => !begun.has(id)).length).toBeGreaterThan(0) // claimed ahead
  await sql`update mail_jobs set locked_at = now() - interval '1 hour' where status = 'job_status_running'`.execute(db)
  const worker = createWorker(db, 'mail_jobs', () => {}, { logger: quiet, maxAttempts: 1, pollInterval: '50ms' })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  const count = sql<number>`count(*)::int`.as('count')
  const left = db
    .selectFrom('mail_jobs')
    .select(count)
    .where('status', 'not in', ['job_status_succeeded', 'job_status_failed'])
  await expect.poll(async () => (await left.executeTakeFirstOrThrow()).count, { timeout: 20_000 }).toBe(0)
  const failed = await db.selectFrom('mail_jobs').select('id').where('status', '=', 'job_status_failed').execute()
  expect(failed.filter(({ id }) => !begun.has(id))).toEqual([])
})
