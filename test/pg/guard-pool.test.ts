import { Kysely, PostgresDialect, sql } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'

const { url, db: admin } = await testDatabase()

function guarded(config: pg.PoolConfig, bounds = {}) {
  const pool = guardPool(new pg.Pool(config), bounds)
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => db.destroy())
  return { pool, db }
}

test('a connection whose query timed out does not go back to the pool', async () => {
  const { pool, db } = guarded({ connectionString: url, max: 1, query_timeout: 50 })
  await sql`select 1`.execute(db)
  await expect(sql`select pg_sleep(60)`.execute(db)).rejects.toThrow('Query read timeout')
  expect(await sql`select 1 as one`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
  expect(pool.totalCount).toBe(1)
})

test('bounds of months are no bounds of a millisecond', async () => {
  const { db } = guarded({ connectionString: url, max: 1 }, { query: '90d', connect: '90d' })
  expect(await sql`select 1 as one, pg_sleep(0.05)`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
})

test('a connection that was cut off without a word is given up, and a new one is made', async () => {
  const hole = await startProxy(url)
  onTestFinished(hole.close)
  const { db } = guarded({ connectionString: hole.url, max: 1 }, { query: 50, connect: 2000 })
  await sql`select 1`.execute(db)
  hole.swallow()
  await expect(sql`select 1`.execute(db)).rejects.toThrow('Query read timeout')
  hole.heal()
  expect(await sql`select 1 as one`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
})

test('a backend that is terminated under a checked-out client does not end the process', async () => {
  const { db } = guarded({ connectionString: url, max: 1 })
  await expect(
    db.connection().execute(async (connection) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(connection)
      const ended = sql`select pg_sleep(60)`.execute(connection)
      await Promise.all([ended, sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(admin)])
    }),
  ).rejects.toMatchObject({ code: '57P01' })
  expect(await sql`select 1 as one`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
})

test('a backend that is terminated under a client at rest in a transaction does not end the process', async () => {
  const { pool, db } = guarded({ connectionString: url, max: 1 })
  const ended = new Promise((resolve) => pool.once('connect', (client) => client.once('end', resolve)))
  const trx = await db.startTransaction().execute()
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
  await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(admin)
  await ended
  await expect(sql`select 1`.execute(trx)).rejects.toThrow()
  await trx
    .rollback()
    .execute()
    .catch(() => {})
  expect(await sql`select 1 as one`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
})

test('a session that may not write any more, as after a failover, does not go back to the pool', async () => {
  const { db } = guarded({ connectionString: url, max: 1 })
  await sql`set default_transaction_read_only = on`.execute(db)
  await expect(sql`create table notes (id int)`.execute(db)).rejects.toMatchObject({ code: '25006' })
  await sql`create table notes (id int)`.execute(db)
})

test('bounds that the pool has already are left as they are', () => {
  const { pool } = guarded({ connectionString: url, query_timeout: 1234, connectionTimeoutMillis: 567 })
  expect(pool.options).toMatchObject({ query_timeout: 1234, connectionTimeoutMillis: 567, keepAlive: true })
})

test('a bound that is no duration is refused', () => {
  expect(() => guardPool(new pg.Pool(), { query: 'soon' as never })).toThrow('query: "soon" is not a duration')
})
