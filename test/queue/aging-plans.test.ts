import { type Kysely, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeAll, expect, test } from 'vitest'
import { compileFetch } from '../../src/queue/fetch.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { statistics } from './large-table.js'
import { rolledBack, worker } from './mail-jobs.js'

const { db, pool } = await testDatabase()

/** How many priorities the 200,000 jobs have, one due each second; and how many buffers a claim of ten may read. */
const tables = [
  ['one_priority', 1, 300],
  ['five_priorities', 5, 400],
  ['hundred_priorities', 100, 1_500],
  ['thousand_priorities', 1_000, 6_000],
] as const

const [second, minute, day] = [1_000, 60_000, 86_400_000]

beforeAll(async () => {
  for (const [table, priorities] of tables) {
    await createJobTable(db, table, (builder) => builder.addColumn('to', 'text'), { columns: ['priority'] })
    await sql`alter table ${sql.table(table)} set (autovacuum_enabled = off)`.execute(db)
    await sql`analyze ${sql.table(table)}`.execute(db)
    await sql`insert into ${sql.table(table)} (priority, run_at)
      select n % ${priorities}::int, now() - n * interval '1 s' from generate_series(1, 200000) n order by n % 997`.execute(
      db,
    )
  }
})

test.each(statistics)(
  'a claim costs the same whatever the aging, and however long jobs have waited: statistics %s',
  async (kind) => {
    if (kind === 'fresh') await sql`analyze`.execute(db)
    for (const [table, , most] of tables)
      for (const aging of [1, second, 10 * minute, 365 * day]) {
        const [plan] = await plansOf(pool, async (handle: Kysely<any>) => {
          const jobs = await compileFetch(jobsOf(handle, table), { worker, columns: ['priority'], aging })(handle, {
            limit: 10,
          })
          expect(jobs).toHaveLength(10)
        })
        expect(plan?.scans).not.toContain(`Seq Scan: ${table}`)
        expect(plan?.buffers).toBeLessThan(most)
      }
  },
)

test('a claim that meets thousands of jobs which others have does not look them up one by one', async () => {
  const fetch = (handle: Kysely<any>, limit: number) =>
    compileFetch(jobsOf(handle, 'five_priorities'), { worker, columns: ['priority'], aging: second })(handle, { limit })
  await rolledBack(db, async (others) => {
    expect(await fetch(others, 3_000)).toHaveLength(3_000)
    const [plan] = await plansOf(pool, async (handle) => expect(await fetch(handle, 10)).toHaveLength(10))
    expect(plan?.buffers).toBeLessThan(6_000)
  })
})
