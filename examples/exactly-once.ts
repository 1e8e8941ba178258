/**
 * Effects exactly once: `complete(trx)` commits what the job did together with its completion. Whatever breaks
 * before the commit undoes both; whatever breaks after it undoes neither.
 */

import { once } from 'node:events'
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, enqueue, guardPool, linear } from 'kysely-jobs'
import pg from 'pg'
import type { DB } from './db.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

const transfers = createWorker(
  db,
  'transfer_jobs',
  async (job, { attempt, complete }) => {
    await db.transaction().execute(async (trx) => {
      const move = (owner: string, amount: number) =>
        trx
          .updateTable('accounts')
          .set(({ eb }) => ({ balance: eb('balance', '+', amount) }))
          .where('owner', '=', owner)
          .execute()
      await move(job.payer, -job.amount)
      if (attempt === 1) throw new Error('the power failed between the two halves')
      await move(job.payee, job.amount)
      await complete(trx)
    })
  },
  { listen: pool, backoff: linear({ delay: '500ms' }), logger: { debug() {}, info() {}, warn() {}, error() {} } },
)

async function tell(what: string): Promise<void> {
  const accounts = await db.selectFrom('accounts').selectAll().orderBy('owner').execute()
  console.log(`${what}: ${accounts.map(({ owner, balance }) => `${owner} has ${balance}`).join(', ')}`)
}

const accounts = [
  { owner: 'Ada', balance: 100 },
  { owner: 'Grace', balance: 0 },
]
await db.insertInto('accounts').values(accounts).execute()
await enqueue(db, 'transfer_jobs', { payer: 'Ada', payee: 'Grace', amount: 30 })
await tell('Before')

const [retried, succeeded] = [once(transfers, 'retry'), once(transfers, 'succeeded')]
await transfers.start()
await retried
await tell('Attempt 1 broke half way')
await succeeded
await tell('Attempt 2 went through')

await transfers.stop()
const job = await db.selectFrom('transfer_jobs').selectAll().executeTakeFirstOrThrow()
console.log(`The job is ${job.status} after ${job.attempts_count} attempts`)
await db.destroy()
