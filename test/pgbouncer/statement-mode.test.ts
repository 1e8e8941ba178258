import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.js'
import { createMailTables, type MailDatabase, quiet } from '../worker/mail-jobs.js'

test.skipIf(withoutPgBouncer !== undefined)('a worker behind a pooler in statement mode refuses to start', async () => {
  const { db: direct, url } = await testDatabase<MailDatabase>()
  await createMailTables(direct)
  await using bouncer = await startPgBouncer(url, 2, 'statement')
  const pool = guardPool(new pg.Pool({ connectionString: bouncer.url, max: 2 }))
  await using db = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  await expect(worker.start()).rejects.toMatchObject({
    code: 'STATEMENT_POOLING',
    message: expect.stringContaining('pool_mode'),
  })
})
