import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import type pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { textOfTransaction } from '../../src/pg/whole-transaction.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createTenantTables, type TenantDatabase } from '../worker/tenant-jobs.js'

const { db: admin, url } = await testDatabase<TenantDatabase>(createTenantTables)

beforeEach(async () => {
  await sql`truncate tenant_jobs`.execute(admin)
})

/** A pool of one session, whose messages are kept. */
function session(prepare: (pool: pg.Pool) => pg.Pool) {
  const pool = prepare(quietPool({ connectionString: url, max: 1 }))
  const texts: string[] = []
  pool.on('connect', ({ connection }: any) => {
    for (const way of ['query', 'parse']) {
      const send = connection[way]
      connection[way] = (first: any, ...rest: unknown[]) => {
        texts.push(typeof first === 'string' ? first : first.text)
        return send.call(connection, first, ...rest)
      }
    }
  })
  const db = new Kysely<TenantDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => void db.destroy().catch(() => {}))
  return { db, pool, texts }
}

const parts = (statement: string) => ({ begin: 'begin', statement, end: 'commit' })

const send = async (db: Kysely<TenantDatabase>, statement: string, values: unknown[]) => {
  const { rows } = await db.executeQuery(CompiledQuery.raw(textOfTransaction(parts(statement)), values))
  return rows as object[]
}

test('a transaction of one statement is one message from the second time on, with its values', async () => {
  const { db, texts } = session((pool) => guardPool(pool))
  const statement =
    'select $1::text as text, $2::int[] as list, $3::bool as flag, $4::text[] as texts where $5::int > 0'
  const values = ["it's a \\ and a ; --", [1, 2, null], false, ['a "quote"', 'and, \\ more', null]]
  for (let n = 0; n < 3; n++) {
    const [row] = await send(db, statement, [...values, 1])
    expect(Object.values(row ?? {})).toEqual(values)
    expect(await send(db, statement, [...values, 0])).toEqual([])
  }
  expect(texts.filter((text) => text.startsWith('begin'))).toHaveLength(6)
  expect(texts.filter((text) => text === 'commit')).toHaveLength(1)
})

test('what the server refuses is told, leaves no transaction open, and is sent anew', async () => {
  const { db, pool } = session((pool) => guardPool(pool))
  await pool.query('create temporary table numbers (n int)')
  const statement = 'insert into numbers values (1 / $1::int) returning *'
  for (let n = 0; n < 3; n++) {
    expect(await send(db, statement, [1])).toHaveLength(1)
    await expect(send(db, statement, [0])).rejects.toMatchObject({ code: '22012' })
    await pool.query(`alter table numbers add column ${n === 0 ? 'more' : `more${n}`} int`)
    await pool.query(n === 0 ? 'discard plans' : 'deallocate all')
  }
  expect(await send(db, statement, [1])).toEqual([expect.objectContaining({ n: 1, more: null })])
  const { rows } = await pool.query('select count(*)::int as n from numbers')
  expect(rows).toEqual([{ n: 4 }])
})

test('a value of another type is sent beside the statement', async () => {
  const { db } = session((pool) => guardPool(pool))
  const date = new Date()
  for (let n = 0; n < 3; n++) expect(await send(db, 'select $1::timestamptz as date', [date])).toEqual([{ date }])
})

test.each([
  ['is guarded', (pool: pg.Pool) => guardPool(pool), 1],
  ['is not guarded', (pool: pg.Pool) => pool, 3],
  ['was guarded by another copy of the package, which does not know of it', guardedByAnother, 3],
] as const)('a claim by keys is sent as the pool can send it: it %s', async (_, prepare, messages) => {
  const { db, texts } = session(prepare)
  let done = 0
  const options = { limit: { max: 2 }, pollInterval: '20ms', logger: quiet } as const
  const worker = createWorker(db, 'tenant_jobs', () => void done++, options)
  const errors: unknown[] = []
  worker.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  for (let n = 1; n <= 5; n++) {
    await enqueue(admin, 'tenant_jobs', { tenant_id: 1, place: n })
    await expect.poll(() => done).toBe(n)
  }
  expect(errors).toEqual([])
  const claims = texts.filter((text) => text.includes('pg_advisory_xact_lock') && text.startsWith('begin'))
  const whole = claims.filter((text) => text.includes('execute') && text.endsWith('commit'))
  for (const text of claims) expect(text).toContain('set local jit = off') // where an index is lacking, it would take longer than the claim
  if (messages === 1) expect(whole.length).toBeGreaterThanOrEqual(claims.length - 3)
  else expect(whole).toEqual([])
})

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** It tells how many connections it may have, and no more. */
function guardedByAnother(pool: pg.Pool): pg.Pool {
  pool.on('connect', (client) => {
    const query = client.query
    client.query = ((text: unknown, ...rest: unknown[]) => {
      const isQuestion = text === 'select null::text as max /* kysely-jobs pool */'
      return Reflect.apply(query, client, [isQuestion ? `select '1'::text as max` : text, ...rest])
    }) as typeof query
  })
  return pool
}
