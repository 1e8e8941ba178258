import { randomBytes } from 'node:crypto'
import { Kysely, type KyselyPlugin, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, inject } from 'vitest'

/** A database of the test's own. */
export interface TestDatabase<DB = any> {
  readonly name: string
  readonly url: string
  readonly pool: pg.Pool
  readonly db: Kysely<DB>
  /** Drops the database; connections that still use it are cut. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface TestDatabaseOptions {
  readonly pool?: pg.PoolConfig
  readonly plugins?: KyselyPlugin[]
}

/**
 * A fresh, empty database for a whole test file, dropped after its last test. Call it at the top of the file:
 * `const { db, url } = await testDatabase<DB>((db) => createJobTable(db, 'jobs'))`
 */
export async function testDatabase<DB = any>(
  migrate: (db: Kysely<any>) => Promise<unknown> = async () => {},
  options: TestDatabaseOptions = {},
): Promise<TestDatabase<DB>> {
  const database = await createTestDatabase<DB>(options)
  afterAll(database.close)
  await migrate(database.db)
  return database
}

/** A fresh, empty database, to be closed by the caller: for a single test, `await using` does. */
export async function createTestDatabase<DB = any>(options: TestDatabaseOptions = {}): Promise<TestDatabase<DB>> {
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(`create database ${name} template template0`)
  const url = databaseUrl(name)
  const pool = quietPool({ max: 20, ...options.pool, connectionString: url })
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }), plugins: options.plugins ?? [] })
  const close = async () => {
    // Not awaited: the end of a pool waits for clients that a failed test never gave back.
    db.destroy().catch(() => {})
    await onServer(`drop database if exists ${name} with (force)`)
  }
  return { name, url, pool, db, close, [Symbol.asyncDispose]: close }
}

/** A pool whose connections may be cut (57P01) without ending the test process. */
export function quietPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config)
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

function databaseUrl(name: string): string {
  const url = new URL(inject('serverUrl'))
  url.pathname = `/${name}`
  return url.href
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('serverUrl') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
