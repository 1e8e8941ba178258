import { Kysely, PostgresDialect } from 'kysely'
import { guardPool, schedule } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { quietPool } from '../support/database.js'
import { createReportTables, type ReportDatabase, reports, running } from './reports.js'

test('through restarts and a crash of the server each slot is fired once', async () => {
  const server = await startPostgres()
  onTestFinished(() => server.stop())
  const pool = guardPool(quietPool({ connectionString: server.url, max: 8 }))
  const db = new Kysely<ReportDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => void db.destroy().catch(() => {}))
  await createReportTables(db)
  const given = schedule(db, 'report_jobs', { name: 'each second', cron: '* * * * * *', values: { kind: 'a' } })
  const runners = [await running(db, { schedules: [given] }), await running(db, { schedules: [given] })]
  const fired = () => runners.reduce((sum, { told }) => sum + told.length, 0)
  for (const way of ['fast', 'immediate', 'kill'] as const) {
    const before = fired()
    await expect.poll(fired).toBeGreaterThan(before)
    await server.halt(way)
    await server.resume()
  }
  const before = fired()
  await expect.poll(fired, { timeout: 60_000 }).toBeGreaterThan(before)
  for (const { runner } of runners) await runner.stop({ deadline: 0 })
  const slots = (await reports(db)).map(({ scheduled_for }) => (scheduled_for?.getTime() ?? Number.NaN) / 1000)
  expect(slots).toEqual(slots.map((_, n) => (slots[0] ?? 0) + n))
})
