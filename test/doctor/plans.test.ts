import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import { fillLargeTable, statistics } from '../queue/large-table.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const tables = ['mail_jobs', 'urgent_jobs']
const { db, pool } = await testDatabase(async (db) => {
  await fillLargeTable(db, 'mail_jobs', false)
  await fillLargeTable(db, 'urgent_jobs', true)
})

test.each(statistics)(
  'no statement of an examination reads a large table as a whole, with statistics %s',
  async (which) => {
    if (which === 'fresh') for (const table of tables) await sql`analyze ${sql.table(table)}`.execute(db)
    const plans = await plansOf(pool, async (handle) => {
      const found = await examine(handle, { tables })
      // The looks were made: they found the jobs of a worker that is gone.
      expect(found.filter(({ code }) => code === 'expired-leases').map(({ what }) => what.slice(0, 8))).toEqual([
        '100 jobs',
        '100 jobs',
      ])
    })
    for (const { scans, buffers, sql: statement } of plans) {
      // A bitmap is of all that waits, before the first row of it is looked at.
      const whole = scans.filter((scan) => /^(?:Seq|Bitmap Heap) Scan: \w+_jobs$/.test(scan))
      expect(whole, statement).toEqual([])
      expect(buffers, statement).toBeLessThan(4_000)
    }
    expect(plans.length).toBeLessThan(26)
  },
)

test('where no index leads to its rows they are not looked at, and that is said', async () => {
  await sql`drop index job_running_mail_jobs, job_ready_mail_jobs`.execute(db)
  const plans = await plansOf(pool, async (handle) => {
    const found = await examine(handle, { tables: ['mail_jobs'] })
    expect(found.find(({ code }) => code === 'not-examined')?.what).toBe(
      'The running jobs, the jobs that wait of mail_jobs were not looked at.',
    )
  })
  expect(plans.flatMap(({ scans }) => scans)).not.toContain('Seq Scan: mail_jobs')
})
