import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { fetchNextJobs, nextDueAt } from 'kysely-jobs/queue'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { compileFetch } from '../../src/queue/fetch.js'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { createMailJobs, worker } from './mail-jobs.js'

const { db, pool } = await testDatabase(createMailJobs)
const columns = ['priority' as const]

/** What somebody may do who may set `priority`: one job of each level, none of them ever due. */
beforeAll(async () => {
  await sql`
    alter table mail_jobs set (autovacuum_enabled = off);
    insert into mail_jobs (priority, run_at, "to") select n, now() + interval '1 year', 'flood' from generate_series(-10000, 10000) n;
    analyze mail_jobs`.execute(db)
})

beforeEach(() => db.deleteFrom('mail_jobs').where('to', '<>', 'flood').execute())

const claim = async (limit: number) => {
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker, limit, columns })
  return jobs.map(({ to }) => to)
}

test('however many levels wait, what a claim and an idle worker read is bounded', async () => {
  await enqueue(db, 'mail_jobs', { to: 'due', priority: -9999 })
  const questions: ((handle: Kysely<any>) => Promise<unknown>)[] = [
    (handle) => fetchNextJobs(handle, 'mail_jobs', { worker, limit: 1, columns }),
    (handle) =>
      compileFetch(jobsOf(handle, 'mail_jobs'), { worker, columns, aging: 60_000 })(jobsOf(handle, 'mail_jobs').db, {
        limit: 1,
      }),
    (handle) => nextDueAt(handle, 'mail_jobs', { columns }),
    (handle) => pollTables([{ jobs: jobsOf(handle, 'mail_jobs'), lease: '1m', claim: { columns: ['priority'] } }]),
  ]
  for (const question of questions) {
    const [plan] = await plansOf(pool, question)
    expect(plan?.scans).not.toContain('Seq Scan: mail_jobs')
    expect(plan?.buffers).toBeLessThan(1200) // a step to each level takes 50,000
  }
})

test('the highest priority comes first, also below a hundred levels of which nothing is due', async () => {
  const levels = [-10_000, 9_999, -3, 0, 4_000, 9_950, -9_000]
  await enqueue(
    db,
    'mail_jobs',
    levels.map((priority) => ({ to: String(priority), priority })),
  )
  expect(await nextDueAt(db, 'mail_jobs', { columns })).toBeLessThanOrEqual(0)
  expect(await claim(3)).toEqual(['9999', '9950', '4000'])
  expect(await claim(9)).toEqual(['0', '-3', '-9000', '-10000'])
  expect(await claim(9)).toEqual([])
})

test('an urgent job goes before a long backlog, and the backlog is not forgotten', async () => {
  await db
    .insertInto('mail_jobs')
    .columns(['to', 'priority', 'run_at'])
    .expression(sql`select 'level ' || n % 3, n % 3, now() - interval '1 hour' from generate_series(1, 2500) n`)
    .execute()
  await enqueue(db, 'mail_jobs', { to: 'urgent', priority: 7 })
  expect(await claim(1)).toEqual(['urgent'])
  expect(new Set(await claim(800))).toEqual(new Set(['level 2']))
  expect(await claim(2500)).toHaveLength(1700)
})
