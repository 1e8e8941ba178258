import { type Kysely, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'

/**
 * Asks several questions of one moment, in a transaction that can't write, and in which no statement takes longer than so many milliseconds.
 * @param db a handle that is in no transaction
 */
export async function reading<Value>(
  db: Kysely<JobDatabase>,
  limit: number,
  questions: (db: Kysely<JobDatabase>, now: Date) => Promise<Value>,
): Promise<Value> {
  return db
    .transaction()
    .setAccessMode('read only')
    .execute(async (trx) => {
      const { rows } = await sql<{ now: string }>`
        select pg_catalog.textout((extract(epoch from now()) * 1000)::bigint::text) as now,
          pg_catalog.set_config('statement_timeout', ${String(limit)}, true) as "limit"`.execute(trx.withoutPlugins())
      return questions(trx, new Date(Number(rows[0]?.now)))
    })
}
