import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, enqueue, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { DB } from './db.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

const mail = createWorker(db, 'send_mail_jobs', async (job) => {
  console.log(`To ${job.address}: ${job.subject}`) // throw, and it runs again later
})

await enqueue(db, 'send_mail_jobs', { address: 'ada@example.com', subject: 'Welcome' })
await createRunner(db, { workers: [mail] }).run() // until Ctrl-C
await db.destroy()
