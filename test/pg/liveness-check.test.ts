import { Kysely, PostgresDialect, sql } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { test as base, expect, type TestContext } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'

const { url, db: admin } = await testDatabase()

// Each waits a second, at the least: together they wait as long.
const test = base.concurrent

async function throughProxy({ onTestFinished }: TestContext, config: pg.PoolConfig) {
  const proxy = await startProxy(url)
  const pool = guardPool(new pg.Pool({ connectionString: proxy.url, ...config }))
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(async () => {
    proxy.heal()
    if (!pool.ending) await db.destroy()
    proxy.close()
  })
  const one = () => sql<{ one: number }>`select 1 as one`.execute(db).then(({ rows }) => rows[0]?.one)
  return { proxy, pool, db, one }
}

test('a query on a connection that is gone without a word fails, though it has a minute', async (context) => {
  const { proxy, one } = await throughProxy(context, { max: 1 })
  await one()
  proxy.halfOpen()
  await expect(one()).rejects.toThrow('Connection terminated')
  expect(await one()).toBe(1)
})

test('where one connection was gone, those that rest are not trusted either', async (context) => {
  const { proxy, pool, one } = await throughProxy(context, { max: 5 })
  await Promise.all([one(), one(), one(), one(), one()])
  proxy.halfOpen()
  await expect(one()).rejects.toThrow('Connection terminated')
  expect(pool.totalCount).toBe(0)
  expect(await Promise.all([one(), one(), one()])).toEqual([1, 1, 1])
})

test('a query whose answer was lost fails, once the network is back', async (context) => {
  const { proxy, db } = await throughProxy(context, { max: 1, application_name: 'asks' })
  let failed: Promise<void> | undefined
  await admin.connection().execute(async (holder) => {
    await sql`select pg_advisory_lock(1)`.execute(holder)
    const lost = sql`select pg_advisory_lock(1)`.execute(db)
    failed = expect(lost).rejects.toThrow('Connection terminated')
    await asking()
    proxy.swallow('down')
    await sql`select pg_advisory_unlock(1)`.execute(holder)
  })
  while (proxy.silent === 0) await new Promise((resolve) => setImmediate(resolve))
  proxy.heal()
  await failed
})

/** Resolves when the backend of `asks` has its query. */
async function asking(): Promise<void> {
  const ask = () =>
    sql`select from pg_stat_activity where application_name = 'asks' and state = 'active'`.execute(admin)
  while ((await ask()).rows.length === 0);
}

test('a connection that was being made in a black hole is made anew', async (context) => {
  const { proxy, one } = await throughProxy(context, { max: 1 })
  proxy.swallow()
  const connecting = one()
  const failed = expect(connecting).rejects.toThrow('Connection terminated')
  while (proxy.connections === 0) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  proxy.heal()
  await failed
  expect(await one()).toBe(1)
})

test('a slow statement is left alone', async (context) => {
  const { db } = await throughProxy(context, { max: 1 })
  await expect(sql`select pg_sleep(2.5)`.execute(db)).resolves.toBeDefined()
})

test('the end of a pool does not wait for a server that can not be reached', async (context) => {
  const { proxy, pool, db, one } = await throughProxy(context, { max: 2 })
  await one()
  proxy.swallow()
  const lost = expect(one()).rejects.toThrow('Connection terminated')
  await new Promise((resolve) => pool.once('acquire', resolve))
  await db.destroy()
  await lost
  while (proxy.connections > 0) await new Promise((resolve) => setImmediate(resolve))
})
