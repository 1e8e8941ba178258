/** A process whose worker drains a table, and tells what memory it took (MB): node draining-process.ts <database url>. */

import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from './mail-jobs.ts'

const [connectionString] = process.argv.slice(2)
const db = new Kysely<MailDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }),
})
const worker = createWorker(db, 'mail_jobs', () => {}, { pollInterval: '100ms' })
worker.on('idle', async () => {
  await worker.stop()
  await db.destroy()
  process.send?.(Math.round(process.resourceUsage().maxRSS / 1024))
  process.disconnect?.()
})
await worker.start()
