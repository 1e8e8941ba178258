/**
 * A process whose worker's handlers take no time, and that is killed at one of them:
 * node mortal-process.ts <database url> <at which> <the worker's options as JSON> [<a file that gets the ids of those that begin>].
 */

import { appendFileSync } from 'node:fs'
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from './mail-jobs.ts'

const [connectionString, last, options = '{}', trace] = process.argv.slice(2)
const db = new Kysely<MailDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }),
})
let begun = 0
const worker = createWorker(
  db,
  'mail_jobs',
  ({ id, to }, { complete }) => {
    if (trace !== undefined) appendFileSync(trace, `${id}\n`)
    begun += 1
    if (begun === Number(last)) process.kill(process.pid, 'SIGKILL')
    return to === 'completes' ? db.transaction().execute((trx) => complete(trx)) : undefined
  },
  { pollInterval: '20ms', concurrency: 4, ...JSON.parse(options) },
)
await worker.start()
