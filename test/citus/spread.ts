import { type Generated, Kysely, PostgresDialect } from 'kysely'
import { createJobTable, type JobTableOptions } from 'kysely-jobs/migrate'
import { afterAll } from 'vitest'
import { createTestDatabase, quietPool } from '../support/database.js'
import { type Strict, startStrict } from '../support/strict/start-strict.js'
import type { TenantDatabase } from '../worker/tenant-jobs.js'

type TenantJob = Omit<TenantDatabase['tenant_jobs'], 'place' | 'takes' | 'most'> & { note: string }
type SpreadJob = TenantJob & { priority: Generated<number>; result: unknown }

export interface SpreadDatabase {
  mail_jobs: SpreadJob
  queued_jobs: TenantJob
}

/** A job table that is distributed by `tenant_id`, on a server that refuses what Citus refuses, and the same past it. */
export async function spreadDatabase(options: JobTableOptions = {}): Promise<{
  readonly db: Kysely<SpreadDatabase>
  readonly plain: Kysely<SpreadDatabase>
  readonly refused: Strict['refused']
  readonly url: string
}> {
  const database = await createTestDatabase<SpreadDatabase>()
  const strict = await startStrict(database.url)
  const pool = quietPool({ connectionString: strict.url, max: 20 })
  const db = new Kysely<SpreadDatabase>({ dialect: new PostgresDialect({ pool }) })
  afterAll(async () => {
    db.destroy().catch(() => {}) // not awaited: a failed test may have kept a client
    strict.close()
    await database.close()
  })
  await createJobTable(
    db,
    'mail_jobs',
    (table) =>
      table
        .addColumn('tenant_id', 'integer', (column) => column.notNull())
        .addColumn('note', 'text', (column) => column.notNull()),
    { distributeBy: 'tenant_id', columns: ['priority', 'result'], unique: [['tenant_id', 'note']], ...options },
  )
  return { db, plain: database.db, refused: strict.refused, url: strict.url }
}
