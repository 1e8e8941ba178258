import { fork } from 'node:child_process'
import { once } from 'node:events'
import { sql } from 'kysely'
import { retryJobs } from 'kysely-jobs'
import { createJobArchive } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, startMailWorker } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(async (db) => {
  await createMailTables(db)
  await createJobArchive(db, 'mail_jobs')
})

const jobs = 1000

beforeEach(async () => {
  await sql`truncate mail_jobs, mail_jobs_archive`.execute(db)
  await sql`insert into mail_jobs ("to") select case when n % 10 = 0 then 'completes' else 'returns' end from generate_series(1, ${jobs}) n`.execute(
    db,
  )
})

/** How many jobs there are, and how many of these are in both tables, or twice in one. */
async function there() {
  const { rows } = await sql<{ jobs: number; doubled: number }>`
    select count(*)::int as jobs, count(*) filter (where n > 1)::int as doubled
    from (select count(*) as n from mail_jobs_all group by id) counted`.execute(db)
  return rows[0]
}

const archived = async () => {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from mail_jobs_archive`.execute(db)
  return rows[0]?.n ?? 0
}

test.each([40, 700])(
  'a process that is killed at its job %s leaves each job in exactly one of the two tables',
  async (nth) => {
    const child = fork(new URL('mortal-process.ts', import.meta.url), [url, String(nth), '{"succeeded":"archive"}'])
    onTestFinished(() => void child.kill('SIGKILL'))
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
    expect(await there()).toEqual({ jobs, doubled: 0 })
    await sql`update mail_jobs set locked_at = now() - interval '1 hour' where status = 'job_status_running'`.execute(
      db,
    )
    await startMailWorker(db, () => {}, { succeeded: 'archive' })
    await expect.poll(archived, { timeout: 20_000 }).toBe(jobs)
    expect(await there()).toEqual({ jobs, doubled: 0 })
  },
)

test('while connections are cut and archived jobs are retried, each job is in exactly one of the two', async () => {
  const worker = await startMailWorker(
    db,
    async ({ to }, { complete }) => {
      if (to === 'completes') await db.transaction().execute((trx) => complete(trx))
    },
    { succeeded: 'archive', lease: '1s', backoff: () => 0, maxAttempts: 100 },
  )
  for (let round = 0; round < 5; round++) {
    await expect.poll(archived, { interval: 5 }).toBeGreaterThan(0)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`.execute(db)
    await retryJobs(db, 'mail_jobs', { where: (job) => job('to', '=', 'completes') }).catch(() => {})
    expect(await there()).toEqual({ jobs, doubled: 0 })
  }
  await expect.poll(archived, { timeout: 20_000 }).toBe(jobs)
  expect(await there()).toEqual({ jobs, doubled: 0 })
  await worker.stop()
})
