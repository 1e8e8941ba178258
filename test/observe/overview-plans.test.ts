import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { observedTables } from '../../src/observe/observed-table.js'
import { overviewOf } from '../../src/observe/overview.js'
import { fillLargeTable, statistics } from '../queue/large-table.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const tables = ['mail_jobs', 'urgent_jobs'] as const

const { db, pool } = await testDatabase(async (db) => {
  for (const table of tables) await fillLargeTable(db, table, table === 'urgent_jobs')
})

test.each(statistics)('the overview of a table of 200,000 jobs reads it by indexes: statistics %s', async (kind) => {
  if (kind === 'fresh') for (const table of tables) await sql`analyze ${sql.table(table)}`.execute(db)
  for (const table of tables) {
    const observed = await observedTables(db, [table])
    const plans = await plansOf(pool, (handle) => overviewOf(handle, observed))
    const [counts] = plans
    expect(plans.length).toBeLessThan(8)
    expect(counts?.scans.filter((scan) => scan === `Seq Scan: ${table}`)).toEqual([])
    expect(counts?.buffers).toBeLessThan(kind === 'fresh' ? 5_500 : 8_000)
  }
})
