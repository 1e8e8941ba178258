import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { conditionOf } from '../../src/predicates/condition.js'
import { adviceOnCondition } from '../../src/queue/condition-index.js'
import { compileFetch } from '../../src/queue/fetch.js'
import { compileNextDue } from '../../src/queue/next-due.js'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const { db, pool } = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('region', 'text'))
  await createJobTable(db, 'urgent_jobs', (table) => table.addColumn('region', 'text'), { columns: ['priority'] })
  for (const table of ['mail_jobs', 'urgent_jobs']) {
    await sql`insert into ${sql.table(table)} (region, run_at)
      select case when n % 2000 = 0 then 'eu' else 'us' end, now() - n * interval '1 s' from generate_series(1, 200000) n`.execute(
      db,
    )
  }
})

const worker = '0192f0c4-0000-8000-8000-000000000000'
const where = conditionOf((eb: any) => eb('region', '=', 'eu'))

test.each([
  ['mail_jobs', 12, 300],
  ['urgent_jobs', 30, 300],
])('among 200,000 jobs of others a worker reads its own: %s', async (table, forQuestion, forFetch) => {
  const columns = table === 'urgent_jobs' ? ['priority'] : []
  const claim = { columns, where }
  const advice = await adviceOnCondition(jobsOf(db, table), claim, { schema: 'public', name: table })
  for (const statement of advice?.split(/makes (?:one|them): /)[1]?.split('; ') ?? [])
    await sql.raw(statement).execute(db)
  const plans = await plansOf(pool, async (handle) => {
    const jobs = jobsOf(handle, table)
    await compileNextDue(jobs, claim)(handle)
    await pollTables([{ jobs, lease: 60_000, claim }])
    await compileFetch(jobs, { ...claim, worker })(handle, { limit: 10 })
  })
  expect(plans).toHaveLength(3)
  for (const [n, { buffers, scans }] of plans.entries()) {
    expect(scans).not.toContain(`Seq Scan: ${table}`)
    expect(buffers).toBeLessThan(n < 2 ? forQuestion : forFetch)
  }
})
