import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { fireDue, nextFirings } from '../../src/schedule/fire.js'
import { schedulesOf } from '../../src/schedule/schedules-table.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { createReportTables, type ReportDatabase } from './reports.js'

const { db, pool } = await testDatabase<ReportDatabase>(createReportTables)

// Autovacuum would make statistics of its own, of a moment in which the table is empty, say.
await sql`alter table job_schedules set (autovacuum_enabled = off)`.execute(db)

const reportJobs = { schema: 'public', name: 'report_jobs' }
const mailJobs = { schema: 'public', name: 'mail_jobs' }

test.each(['analyzed', 'without statistics'])('among 200,000 schedules, %s, few pages are read', async (statistics) => {
  await sql`truncate job_schedules`.execute(db)
  await sql`insert into job_schedules (job_schema, job_table, name, cron, time_zone, job_values, missed, skip_if_unfinished, declared, next_slot)
    select 'public', case when n % 1000 = 0 then 'mail_jobs' else 'report_jobs' end, 'schedule ' || n, '@daily', 'UTC',
      (case when n % 1000 = 0 then '{"to": "ada"}' else '{"kind": "a"}' end)::json, 'once', false, false, now() + (n - 10) * interval '1 s'
    from generate_series(1, 200000) n`.execute(db)
  if (statistics === 'analyzed') await sql`analyze job_schedules`.execute(db)
  const served = { tables: [reportJobs, mailJobs], declared: [] }
  const schedules = await schedulesOf(db)
  const [looking] = await plansOf(pool, (handle) => nextFirings({ ...schedules, db: handle }, served, []))
  expect(looking?.scans).not.toContain('Seq Scan: job_schedules')
  expect(looking?.buffers).toBeLessThan(20)
  const options = { except: [], most: 1 }
  const firing = await plansOf(pool, (handle) => fireDue({ ...schedules, db: handle }, reportJobs, served, options))
  expect(firing.map(({ sql: text }) => text.trim().split(/\s/)[0])).toEqual(['select', 'select', 'insert', 'update'])
  for (const { scans, buffers } of firing) {
    expect(scans).not.toContain('Seq Scan: job_schedules')
    expect(buffers).toBeLessThan(100) // some are the catalog's
  }
})
