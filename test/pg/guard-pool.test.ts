import { type AddressInfo, connect, createServer } from 'node:net'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
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

test('a pool that is guarded says so, and is guarded once', () => {
  const { pool } = guarded({ connectionString: url })
  const Client: unknown = Reflect.get(pool, 'Client')
  expect(Reflect.get(pool, Symbol.for('kysely-jobs.guarded'))).toBe(true)
  expect(guardPool(pool)).toBe(pool)
  expect(Reflect.get(pool, 'Client')).toBe(Client)
})

/** A server that speaks Italian: the severity of its errors is a word of that language. */
async function italian(): Promise<string> {
  const target = new URL(url)
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname)
    client.on('data', (bytes) => server.write(bytes)).on('error', () => {})
    server.on('data', (bytes) => client.write(Buffer.from(inItalian(bytes.toString('latin1')), 'latin1')))
    server.on('error', () => {}).on('close', () => client.destroy())
    client.on('close', () => server.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  const { port } = proxy.address() as AddressInfo
  return `postgres://${target.username}@127.0.0.1:${port}${target.pathname}`
}

/** Of the same length: what it says of a backend that an administrator ended. */
function inItalian(message: string): string {
  return message.replace('SFATAL\0', 'SFATLE\0').replace('terminating connection due', 'termino la connessione per')
}

test.each([
  ['57P01', 'pg_terminate_backend(pg_backend_pid())'],
  ['25P03', null],
])('a session that ends with %s is not used again, whatever language its server speaks', async (code, ending) => {
  const { db } = guarded({ connectionString: await italian(), max: 1 })
  const ended =
    ending !== null
      ? sql`select ${sql.raw(ending)}`.execute(db)
      : db.transaction().execute(async (trx) => {
          await sql`set local idle_in_transaction_session_timeout = 20`.execute(trx)
          await sql`select pg_sleep(0.1)`.execute(admin)
          await sql`select 1`.execute(trx)
        })
  if (ending !== null) await expect(ended).rejects.toMatchObject({ code, severity: 'FATLE' })
  else await expect(ended).rejects.toThrow()
  for (let i = 0; i < 5; i++) expect(await sql`select 1 as one`.execute(db)).toMatchObject({ rows: [{ one: 1 }] })
})

test('an error that the session outlives keeps its connection', async () => {
  const { pool, db } = guarded({ connectionString: await italian(), max: 1 })
  const made = vi.fn()
  pool.on('connect', made)
  for (let i = 0; i < 5; i++) await expect(sql`select 1 / 0`.execute(db)).rejects.toMatchObject({ code: '22012' })
  expect(made).toHaveBeenCalledTimes(1)
})
