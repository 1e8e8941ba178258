import { type Kysely, sql } from 'kysely'
import { pauseJobs } from 'kysely-jobs'
import { createJobPauses, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import type { Claim, Keyed } from '../../src/queue/claim.js'
import { compileFetch } from '../../src/queue/fetch.js'
import { compileKeyedFetch, compileLeft } from '../../src/queue/keyed-fetch.js'
import { compileNextDue } from '../../src/queue/next-due.js'
import { readPauses } from '../../src/queue/pauses.js'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const tables = ['mail_jobs', 'urgent_jobs'] as const

/** 200,000 due jobs of a paused tenant, half as many that are due later, and twenty of others that became due just now. */
const { db, pool } = await testDatabase(async (db) => {
  await createJobPauses(db)
  for (const table of tables) {
    const columns = table === 'urgent_jobs' ? (['priority'] as const) : []
    await createJobTable(db, table, (builder) => builder.addColumn('tenant', 'integer', (it) => it.notNull()), {
      columns,
    })
    await createKeyIndexes(db, table, ['tenant'])
    const rows = async (times: number, tenant: string, runAt: string, level: string) => {
      const [name, value] = columns.length > 0 ? [', priority', `, ${level}`] : ['', '']
      const from = `from generate_series(1, ${times}) n`
      await sql
        .raw(`insert into ${table} (tenant, run_at${name}) select ${tenant}, ${runAt}${value} ${from}`)
        .execute(db)
    }
    await rows(200_000, '5', "now() - interval '1 hour' - n * interval '1 ms'", 'n % 3 + 7')
    await rows(100_000, '5', "now() + interval '1 hour' + n * interval '1 ms'", '5')
    await rows(20, 'n + 5', "now() - n * interval '1 ms'", 'n % 2 + 5')
  }
})

const worker = '0192f0c4-0000-8000-8000-000000000000'
const paused = [{ tenant: '5' }]

/** Where a worker reads on that has seen all that was due half an hour ago. */
const passed = new Date(Date.now() - 1_800_000)
const since = { runAt: passed, levels: '{}', times: '{}', others: passed.toISOString() }

const claimOf = (table: string): Claim => ({ columns: table === 'urgent_jobs' ? ['priority'] : [], paused })

test.each(tables)(
  'beside 200,000 due jobs of a paused key a worker that has passed them once reads none of them: %s',
  async (table) => {
    for (const statistics of ['without', 'with']) {
      if (statistics === 'with') await sql`analyze ${sql.table(table)}`.execute(db)
      const claim = claimOf(table)
      const [question, poll, fetch] = await plansOf(pool, async (handle) => {
        const jobs = jobsOf(handle, table)
        expect(await compileNextDue(jobs, claim)(handle, passed)).toBeLessThanOrEqual(0)
        await pollTables([{ jobs, lease: 60_000, claim, since: passed }])
        const rows = await compileFetch(jobs, { ...claim, worker, fromCursor: true })(handle, { limit: 30, since })
        expect(rows).toHaveLength(20)
      })
      for (const plan of [question, poll, fetch]) expect(plan?.scans).not.toContain(`Seq Scan: ${table}`)
      expect(question?.buffers).toBeLessThan(40)
      expect(poll?.buffers).toBeLessThan(50)
      expect(fetch?.buffers).toBeLessThan(400)
    }
  },
)

const keyeds: [name: string, keyed: Keyed][] = [
  ['a limit', { by: ['tenant'], max: 2 }],
  ['in turn', { by: ['tenant'] }],
]

/** As a claim by keys sets it for its transaction. */
const byIndexes = sql`select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`

test.each(keyeds)('claims from key to key skip it at once: %s', async (_, keyed) => {
  for (const table of tables) {
    const claim = { ...claimOf(table), worker, keyed }
    const plans = await plansOf(pool, async (handle: Kysely<any>) => {
      const jobs = jobsOf(handle, table)
      await byIndexes.execute(handle)
      const given = { limit: 30, quota: 1, walk: { last: [], most: 100 }, isPrepared: false }
      const { rows } = await compileKeyedFetch(jobs, claim)(jobs.db, given)
      expect(rows).toHaveLength(20)
      await compileLeft(jobs, claim)(jobs.db, 5)
    })
    const [, fetch, left] = plans
    expect(fetch?.scans).not.toContain(`Seq Scan: ${table}`)
    expect(fetch?.buffers).toBeLessThan(700)
    expect(left?.buffers).toBeLessThan(60)
  }
})

test('to read what is paused, and to see by a poll that nothing has changed, takes a page or two', async () => {
  await pauseJobs(db, 'mail_jobs', { where: { tenant: 5 } })
  const of = { schema: 'public', name: 'mail_jobs' }
  const plans = await plansOf(pool, async (handle: Kysely<any>) => {
    const side = { schema: 'public', name: 'job_pauses' }
    await readPauses(handle, of, side)
    const jobs = jobsOf(handle, 'mail_jobs')
    const claim = claimOf('mail_jobs')
    await pollTables([{ jobs, lease: 60_000, claim, since: passed }])
    await pollTables([{ jobs, lease: 60_000, claim, since: passed, pauses: { of, side } }])
  })
  const [read = 0, types = 0, without = 0, withPauses = 0] = plans.map(({ buffers }) => buffers)
  expect(read + types).toBeLessThan(10)
  expect(withPauses - without).toBeLessThan(10)
})
