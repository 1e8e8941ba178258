import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import { createJobLimits, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import type { Keyed } from '../../src/queue/claim.js'
import { compileKeyedFetch, compileLeft } from '../../src/queue/keyed-fetch.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const { db, pool } = await testDatabase(async (db) => {
  await createJobLimits(db)
  for (const [table, keys, rows] of [
    ['few', 10, 200_000],
    ['many', 10_000, 1_000_000],
    ['urgent', 10_000, 200_000],
  ] as const) {
    const columns = table === 'urgent' ? (['priority'] as const) : []
    const own = (builder: CreateTableBuilder<any, any>) =>
      builder
        .addColumn('tenant', 'integer', (it) => it.notNull())
        .addColumn('most', 'integer', (it) => it.notNull().defaultTo(2))
    await createJobTable(db, table, own, { columns })
    await createKeyIndexes(db, table, ['tenant'], { fifo: 'continue' })
    await sql`insert into ${sql.table(table)} (tenant, run_at) select n % ${keys}::int, now() - n * interval '1 s' from generate_series(1, ${rows}::int) n`.execute(
      db,
    )
    await sql`update ${sql.table(table)} set status = 'job_status_running', locked_by = gen_random_uuid(), locked_at = now()
      where id in (select distinct on (tenant) id from ${sql.table(table)} where tenant < 5)`.execute(db)
  }
})

const worker = '0192f0c4-0000-8000-8000-000000000000'

const kept = {
  table: { schema: 'public', name: 'job_limits' },
  of: { schema: 'public', name: 'few' },
  columns: [{ name: 'tenant', type: 'integer' }],
}
const rate = { max: 10, per: 1000, burst: 10 }

const claims: [name: string, keyed: Keyed][] = [
  ['a limit, of which some keys have their own', { by: ['tenant'], max: 2, kept }],
  ['a limit in a column', { by: ['tenant'], max: { column: 'most' } }],
  ['a rate', { by: ['tenant'], rate, kept }],
  ['a rate of all, and a limit', { by: ['tenant'], max: 2, totalRate: rate, kept }],
  ['a limit', { by: ['tenant'], max: 2 }],
  ['a line', { by: ['tenant'], order: 'continue' }],
  ['in turn', { by: ['tenant'] }],
]

/** The buffers of a fetch of ten jobs by keys, and of the question for what is left. */
async function buffersOf(table: string, keyed: Keyed) {
  const claim = { columns: table === 'urgent' ? ['priority'] : [], worker, keyed }
  const plans = await plansOf(pool, async (handle: Kysely<any>) => {
    const jobs = jobsOf(handle, table)
    const given = { limit: 10, quota: 1, walk: { last: ['3'], most: 100 } }
    const { rows } = await compileKeyedFetch(jobs, claim)(jobs.db, given)
    expect(rows).toHaveLength(table === 'few' && keyed.order ? 5 : 10)
    await compileLeft(jobs, claim)(jobs.db, 5)
  })
  for (const { scans } of plans) expect(scans).not.toContain(`Seq Scan: ${table}`)
  return plans.map(({ buffers }) => buffers)
}

test.each(claims)(
  '%s costs the same among 200,000 jobs of ten keys and a million of ten thousand',
  async (_, keyed) => {
    for (const statistics of ['without', 'with']) {
      if (statistics === 'with') await sql`analyze few, many, urgent`.execute(db)
      for (const table of ['few', 'many', 'urgent']) {
        const [fetch = 0, left = 0] = await buffersOf(table, keyed)
        expect(fetch).toBeLessThan(800)
        expect(left).toBeLessThan(60)
      }
    }
  },
)

test('keys whose jobs are all for later are passed over, however many there are', async () => {
  await createJobTable(db, 'later', (table) => table.addColumn('tenant', 'integer', (it) => it.notNull()))
  await createKeyIndexes(db, 'later', ['tenant'])
  await sql`insert into later (tenant, run_at) select n, now() + interval '1 day' from generate_series(1, 10000) n`.execute(
    db,
  )
  await sql`insert into later (tenant) select 9000 from generate_series(1, 20)`.execute(db)
  await sql`vacuum analyze later`.execute(db)
  const [plan] = await plansOf(pool, async (handle: Kysely<any>) => {
    const jobs = jobsOf(handle, 'later')
    const fetch = compileKeyedFetch(jobs, { columns: [], worker, keyed: { by: ['tenant'], max: 10 } })
    const { rows } = await fetch(jobs.db, { limit: 10, quota: 10, walk: { last: [], most: 100 } })
    expect(rows).toHaveLength(10)
  })
  expect(plan?.buffers).toBeLessThan(1000)
})
