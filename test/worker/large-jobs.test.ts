import { fork } from 'node:child_process'
import { once } from 'node:events'
import { sql } from 'kysely'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Lets a process with so little memory (MB) work off all jobs. */
async function drained(heap: number): Promise<void> {
  const child = fork(new URL('draining-process.ts', import.meta.url), [url], {
    execArgv: [`--max-old-space-size=${heap}`],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  expect(await once(child, 'exit')).toEqual([0, null])
  const left = db.selectFrom('mail_jobs').select('id').where('status', '!=', 'job_status_succeeded')
  expect(await left.execute()).toEqual([])
}

test('jobs that are larger together than the memory of their process are worked off', async () => {
  await sql`insert into mail_jobs ("to") select repeat(md5(n::text), 12500) from generate_series(1, 250) n`.execute(db) // 400 kB each
  await drained(64)
})

test('large jobs behind many small ones are worked off, too', async () => {
  await sql`insert into mail_jobs ("to", run_at) select case when n < 1500 then 'small' else repeat(md5(n::text), 12500) end, now() - interval '1 hour' + n * interval '1 ms'
    from generate_series(1, 1650) n`.execute(db)
  await drained(64)
})
