/** A process whose worker archives, and is killed after so many jobs: node archiving-process.ts <database url> <jobs>. */

import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from './mail-jobs.ts'

const [connectionString, jobs] = process.argv.slice(2)
const db = new Kysely<MailDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }),
})
let begun = 0
const worker = createWorker(
  db,
  'mail_jobs',
  async ({ to }, { complete }) => {
    begun += 1
    if (begun === Number(jobs)) process.kill(process.pid, 'SIGKILL')
    if (to === 'completes') await db.transaction().execute((trx) => complete(trx))
  },
  { pollInterval: '20ms', concurrency: 4, succeeded: 'archive' },
)
await worker.start()
