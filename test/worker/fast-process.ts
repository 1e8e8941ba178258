/** A process whose worker's handlers take no time, each of which leaves a trace outside of the job: node fast-process.ts <database url> <trace>. */

import { appendFileSync } from 'node:fs'
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from './mail-jobs.ts'

const [connectionString, trace = ''] = process.argv.slice(2)
const db = new Kysely<MailDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }),
})
let begun = 0
const worker = createWorker(
  db,
  'mail_jobs',
  ({ id }) => {
    appendFileSync(trace, `${id}\n`)
    begun += 1
    if (begun === 600) process.kill(process.pid, 'SIGKILL')
  },
  { pollInterval: '20ms', maxAttempts: 1, concurrency: 4 },
)
await worker.start()
