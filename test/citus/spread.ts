import { type Generated, Kysely, PostgresDialect, sql } from 'kysely'
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

/**
 * A job table that is distributed by `tenant_id`, or on a node of its own, on a server that refuses what Citus refuses, and the same past it. The
 * schema `node` is on a node of its own in both cases, and on the search_path.
 */
export async function spreadDatabase(
  options: JobTableOptions = {},
  place: 'distributed' | 'one node' = 'distributed',
): Promise<{
  readonly db: Kysely<SpreadDatabase>
  readonly plain: Kysely<SpreadDatabase>
  readonly refused: Strict['refused']
  readonly away: Strict['away']
  /** Where it is reached. */
  readonly url: string
}> {
  const database = await createTestDatabase<SpreadDatabase>()
  const strict = await startStrict(database.url)
  const pool = quietPool({ connectionString: strict.url, max: 20, options: '-c search_path=public,node' })
  const db = new Kysely<SpreadDatabase>({ dialect: new PostgresDialect({ pool }) })
  afterAll(async () => {
    db.destroy().catch(() => {}) // not awaited: a failed test may have kept a client
    strict.close()
    await database.close()
  })
  await sql`create schema node`.execute(db)
  await sql`select citus_schema_distribute('node')`.execute(db)
  const isOnOne = place === 'one node'
  await createJobTable(
    isOnOne ? db.withSchema('node') : db,
    'mail_jobs',
    (table) =>
      table
        .addColumn('tenant_id', 'integer', (column) => column.notNull())
        .addColumn('note', 'text', (column) => column.notNull()),
    {
      ...(isOnOne ? {} : { distributeBy: 'tenant_id' }),
      ...{ columns: ['priority', 'result'], unique: [['tenant_id', 'note']], ...options },
    },
  )
  const plain = isOnOne ? database.db.withSchema('node') : database.db
  const { refused, away, url } = strict
  return { db, plain, refused, away, url }
}
