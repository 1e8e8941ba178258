/** A runner process of the tests: node schedule-process.ts <database url>. It says when it has started, and each slot that it fires. */

import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool, schedule } from 'kysely-jobs'
import pg from 'pg'
import type { ReportDatabase } from './reports.ts'

const [connectionString] = process.argv.slice(2)
const pool = guardPool(new pg.Pool({ connectionString, max: 4 }))
const db = new Kysely<ReportDatabase>({ dialect: new PostgresDialect({ pool }) })
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const worker = createWorker(db, 'report_jobs', () => {}, { logger })
const schedules = ['a', 'b'].map((name) =>
  schedule(db, 'report_jobs', {
    name,
    cron: '* * * * * *',
    values: (slot) => ({ kind: name, pages: slot.getTime() / 1000 }),
  }),
)
const runner = createRunner(db, { workers: [worker], schedules, logger })
runner.on('scheduled', ({ slots }) => process.send?.({ fired: slots.length }))
worker.on('started', () => process.send?.('started'))
await runner.run()
await db.destroy()
process.disconnect?.()
