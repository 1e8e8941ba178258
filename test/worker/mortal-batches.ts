/**
 * A process whose worker handles batches in transactions, and that is killed at one of them, when it has written:
 * node mortal-batches.ts <database url> <at which>.
 */

import { Kysely, PostgresDialect } from 'kysely'
import { createBatchWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from './mail-jobs.ts'

const [connectionString, last] = process.argv.slice(2)
const db = new Kysely<MailDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }),
})
let begun = 0
const worker = createBatchWorker(
  db,
  'mail_jobs',
  async (jobs, { trx }) => {
    await trx
      .insertInto('sent')
      .values(jobs.map(({ id, attempts_count }) => ({ job_id: id, attempt: attempts_count })))
      .execute()
    begun += 1
    if (begun === Number(last)) process.kill(process.pid, 'SIGKILL')
  },
  { size: 20, hold: 'transaction', pollInterval: '20ms', lease: '1s' },
)
await worker.start()
