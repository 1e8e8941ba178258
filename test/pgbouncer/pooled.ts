import { Kysely, PostgresDialect } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { afterAll, test as base } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.js'
import { createMailTables, type MailDatabase } from '../worker/mail-jobs.js'

if (withoutPgBouncer !== undefined) console.log(`Tests of a worker behind a pooler are ${withoutPgBouncer}`)

/** A test that needs PgBouncer. */
export const test = base.skipIf(withoutPgBouncer !== undefined)

/** A database behind a pooler in transaction mode: ten connections of ours share two of the server's. */
export async function pooledDatabase() {
  const { db: direct, url: directUrl } = await testDatabase<MailDatabase>()
  const pooler = withoutPgBouncer === undefined ? await startPgBouncer(directUrl, 2) : undefined
  const url = pooler?.url ?? ''
  const pool = guardPool(new pg.Pool({ connectionString: url, max: 10 }))
  const db = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  afterAll(async () => {
    await db.destroy()
    await pooler?.stop()
  })
  if (pooler !== undefined) await createMailTables(db)
  return { db, url, direct, directUrl }
}
