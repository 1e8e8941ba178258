/** One of the demo's worker processes; it works until a signal, or until whoever started it is gone. */

import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool, linear } from 'kysely-jobs'
import pg from 'pg'
import type { DB } from '../db.ts'
import { measure } from './measure.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

const worker = createWorker(
  db,
  'file_jobs',
  async (job, { signal, complete }) => {
    const measurements = await measure(job.path, signal)
    await db.transaction().execute(async (trx) => {
      await trx.updateTable('file_jobs').set(measurements).where('id', '=', job.id).execute()
      await complete(trx) // from here on it is done, or nothing of it happened
    })
  },
  {
    lease: '4s', // short, so that nobody waits long for the jobs of the killed worker
    maxAttempts: 3,
    backoff: linear({ delay: '500ms' }),
    listen: pool,
    logger: { debug() {}, info() {}, warn() {}, error: console.error }, // failed attempts are in the final table
  },
)
worker.on('started', ({ worker: id }) => process.send?.(id))
process.once('disconnect', () => process.exit())
process.channel?.unref() // listening to it must not keep a finished worker alive
await createRunner(db, { workers: [worker], deadline: '1s' }).run()
await db.destroy()
