/** A user and the job that mails them are one transaction: both are there, or neither. */

import { once } from 'node:events'
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { DB } from './db.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

async function signUp(email: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const user = await trx.insertInto('users').values({ email }).returning('id').executeTakeFirstOrThrow()
    await enqueue(trx, 'welcome_jobs', { user_id: user.id })
    if (!email.includes('@')) throw new Error(`${email} is no address`)
  })
}

async function tell(what: string): Promise<void> {
  const { users } = await db.selectFrom('users').select(db.fn.countAll().as('users')).executeTakeFirstOrThrow()
  const { jobs } = await db.selectFrom('welcome_jobs').select(db.fn.countAll().as('jobs')).executeTakeFirstOrThrow()
  console.log(`${what}: users ${users}, jobs ${jobs}`)
}

await signUp('ada@example.com')
await tell('Ada signed up')
await signUp('grace').catch((error: Error) => console.log(`Rolled back: ${error.message}`))
await tell('Grace did not')

const welcome = createWorker(
  db,
  'welcome_jobs',
  async (job) => {
    // The job is a row like any other: a foreign key leads to its user.
    const user = await db.selectFrom('users').selectAll().where('id', '=', job.user_id).executeTakeFirstOrThrow()
    console.log(`Mail to ${user.email}: Welcome!`)
  },
  { listen: pool },
)
const done = once(welcome, 'succeeded')
await welcome.start()
await done

await welcome.stop()
await db.destroy()
