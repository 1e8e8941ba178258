import { Kysely, PostgresDialect, sql } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { test as base, expect, type TestContext } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { testDatabase } from '../support/database.js'
import { type Link, startLink } from '../support/link.js'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.js'
import { startProxy } from '../support/proxy.js'

const { url, db: admin } = await testDatabase()

// Each waits a second, at the least: together they wait as long.
const test = base.concurrent

function guarded({ onTestFinished }: TestContext, config: pg.PoolConfig) {
  const pool = guardPool(new pg.Pool(config))
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  const one = () => sql<{ one: number }>`select 1 as one`.execute(db).then(({ rows }) => rows[0]?.one)
  onTestFinished(() => (pool.ending ? undefined : db.destroy()))
  return { pool, db, one }
}

async function throughProxy(context: TestContext, config: pg.PoolConfig) {
  const proxy = await startProxy(url)
  context.onTestFinished(proxy.close)
  const client = guarded(context, { connectionString: proxy.url, ...config })
  context.onTestFinished(proxy.heal)
  return { proxy, ...client }
}

async function throughLink(context: TestContext, config: pg.PoolConfig, link: Promise<Link>) {
  const made = await link
  context.onTestFinished(made.close)
  return { link: made, ...guarded(context, { connectionString: made.url, ...config }) }
}

const moment = () => new Promise((resolve) => setImmediate(resolve))

test('a query on a connection that is gone without a word fails, though it has a minute', async (context) => {
  const { proxy, one } = await throughProxy(context, { max: 1 })
  await one()
  proxy.halfOpen()
  await expect(one()).rejects.toThrow('Connection terminated')
  expect(await one()).toBe(1)
})

test('where one connection is gone, those at rest whose backend is gone as well are closed', async (context) => {
  const { proxy, pool, one } = await throughProxy(context, { max: 5 })
  await Promise.all([one(), one(), one(), one(), one()])
  proxy.halfOpen()
  await expect(one()).rejects.toThrow('Connection terminated')
  await expect.poll(() => pool.totalCount).toBe(0)
  expect(await Promise.all([one(), one(), one()])).toEqual([1, 1, 1])
})

test('a query whose answer was lost fails, once the network is back; connections that lost nothing stay', async (context) => {
  const { proxy, pool, db, one } = await throughProxy(context, { max: 2, application_name: 'asks' })
  await Promise.all([one(), one()])
  let failed: Promise<void> | undefined
  await admin.connection().execute(async (holder) => {
    await sql`select pg_advisory_lock(1)`.execute(holder)
    const lost = sql`select pg_advisory_lock(1)`.execute(db)
    failed = expect(lost).rejects.toThrow('Connection terminated')
    await asking()
    proxy.swallow('down')
    await sql`select pg_advisory_unlock(1)`.execute(holder)
  })
  while (proxy.silent === 0) await moment()
  proxy.heal()
  await failed
  expect(pool.totalCount).toBe(1)
})

test('a login that was lost fails, once the network is back, though it has a minute', async (context) => {
  const { proxy, one } = await throughProxy(context, { max: 2, connectionTimeoutMillis: 60_000 })
  await one()
  proxy.swallow()
  const lost = [one(), one()].map((asked) => expect(asked).rejects.toThrow('Connection terminated'))
  while (proxy.silent < 3) await moment() // the query, the login, and the look for the query
  while (proxy.silent > 2) await moment()
  proxy.heal()
  await Promise.all(lost)
  expect(await one()).toBe(1)
})

/** Resolves when the backend of `asks` has its query. */
async function asking(): Promise<void> {
  const ask = () =>
    sql`select from pg_stat_activity where application_name = 'asks' and state = 'active'`.execute(admin)
  while ((await ask()).rows.length === 0);
}

test('a slow statement is left alone', async (context) => {
  const { db } = await throughProxy(context, { max: 1 })
  await expect(sql`select pg_sleep(2.5)`.execute(db)).resolves.toBeDefined()
})

test('a result that arrives slowly is waited for, though its backend has been idle for long', async (context) => {
  const { db } = await throughLink(context, { max: 1 }, startLink([url], { bytesPerSecond: 400_000 }))
  const { rows } = await sql<{ text: string }>`select repeat('x', 700000) as text`.execute(db)
  expect(rows[0]?.text).toHaveLength(700_000)
})

test('a long query that is slow to reach the server is waited for, though its backend is idle', async (context) => {
  const { db } = await throughLink(context, { max: 1 }, startLink([url], { bytesPerSecond: 100_000 }))
  const { rows } = await sql<{ size: number }>`select length(${'x'.repeat(150_000)}) as size`.execute(db)
  expect(rows[0]?.size).toBe(150_000)
})

test('many slow statements side by side open one more connection at a time, and ever more seldom', async (context) => {
  const { db, link } = await throughLink(context, { max: 8 }, startLink([url]))
  let most = 0
  const watching = setInterval(() => {
    most = Math.max(most, link.open)
  }, 5)
  await Promise.all(Array.from({ length: 8 }, (_, i) => sql`select pg_sleep(${4 + i / 8})`.execute(db)))
  clearInterval(watching)
  expect(most).toBeLessThanOrEqual(9)
  expect(link.made).toBeLessThanOrEqual(8 + 9) // five looks, and some that a busy machine was late for; of looks as often as at first 14
})

test('behind a pooler nobody is asked', async (context) => {
  context.skip(withoutPgBouncer !== undefined, withoutPgBouncer)
  await using bouncer = await startPgBouncer(url, 2)
  const { db, link } = await throughLink(context, { max: 1 }, startLink([bouncer.url]))
  await expect(sql`select pg_sleep(2)`.execute(db)).resolves.toBeDefined()
  expect(link.made).toBe(1)
  await db.destroy()
})

test('behind a balancer over two servers a slow statement is left alone by both', async (context) => {
  const other = await startPostgres({ fsync: false })
  context.onTestFinished(() => other.stop())
  const there = new URL(url)
  await withDatabase(other.url, there.pathname.slice(1))
  const { db, one } = await throughLink(context, { max: 2 }, startLink([url, other.url]))
  await Promise.all([one(), one()])
  const slow = () => sql`select pg_sleep(2.5)`.execute(db)
  await expect(Promise.all([slow(), slow()])).resolves.toBeDefined()
})

async function withDatabase(serverUrl: string, name: string): Promise<void> {
  const client = new pg.Client(serverUrl)
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
}

test('where logins hang, no more than a few connections are tried', async (context) => {
  const { db, one, link } = await throughLink(context, { max: 3 }, startLink([url]))
  await Promise.all([one(), one(), one()])
  link.hangLogins()
  const before = link.made
  const slow = () => sql`select pg_sleep(5)`.execute(db)
  await Promise.all([slow(), slow(), slow()])
  // three looks, and before the second and the third whether anybody answers at all
  expect(link.made - before).toBeLessThanOrEqual(6)
})

test('the end of a pool does not wait for a server that can not be reached', async (context) => {
  const { proxy, pool, db, one } = await throughProxy(context, { max: 2 })
  await one()
  proxy.swallow()
  const lost = expect(one()).rejects.toThrow('Connection terminated')
  await new Promise((resolve) => pool.once('acquire', resolve))
  await db.destroy()
  await lost
  while (proxy.connections > 0) await moment()
})

test('the end of a pool does not wait for its first login at a server that can not be reached', async (context) => {
  const { proxy, db, one } = await throughProxy(context, { max: 2, connectionTimeoutMillis: 60_000 })
  proxy.swallow()
  const lost = expect(one()).rejects.toThrow('Connection terminated')
  while (proxy.silent === 0) await moment()
  await db.destroy()
  await lost
  while (proxy.connections > 0) await moment()
})

test('a pool that ends waits for a slow statement of a server that can be reached', async (context) => {
  const { pool, db } = await throughProxy(context, { max: 1 })
  const slow = sql`select pg_sleep(1.5)`.execute(db)
  await new Promise((resolve) => pool.once('acquire', resolve))
  await db.destroy()
  await expect(slow).resolves.toBeDefined()
})
