/** A worker process of the tests: node keyed-process.ts <database url> <options as JSON>. It says when it has started, and when it is paused. */

import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import { type TenantDatabase, witnessed } from './tenant-jobs.ts'

const [connectionString, options = '{}'] = process.argv.slice(2)
const pool = guardPool(new pg.Pool({ connectionString, max: 12 }))
const db = new Kysely<TenantDatabase>({ dialect: new PostgresDialect({ pool }) })
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const worker = createWorker(db, 'tenant_jobs', witnessed(db), {
  ...{ concurrency: 8, lease: '1s', pollInterval: '100ms', logger, maxAttempts: 50 },
  ...JSON.parse(options),
})
worker.on('started', () => process.send?.('started'))
worker.on('paused', () => process.send?.('paused'))
await createRunner(db, { workers: [worker], logger }).run()
await db.destroy()
process.disconnect?.()
