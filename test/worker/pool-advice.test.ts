import { Kysely, PostgresDialect } from 'kysely'
import { createBatchWorker, createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, quiet } from './mail-jobs.js'

const { url } = await testDatabase(createMailTables)

/** What a worker warns of at its start, about its pool. */
async function warnings(concurrency: number, made: (pool: pg.Pool) => pg.Pool): Promise<string[]> {
  const said: string[] = []
  const pool = made(quietPool({ connectionString: url, max: 4 }))
  await using db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  const logger = { ...quiet, warn: (_facts: object, message: string) => void said.push(message) }
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { concurrency, logger })
  await worker.start()
  return said
}

test('a pool that is not guarded is said at start, with the remedy', async () => {
  expect(await warnings(2, (pool) => pool)).toEqual([expect.stringContaining('guardPool(new pg.Pool(...))')])
})

test('more handlers than connections are said at start, with both numbers and the remedy', async () => {
  expect(await warnings(16, guardPool)).toEqual([
    expect.stringMatching(/concurrency: 16 handlers share 4 connections.*max: 19/),
  ])
})

test('batches in transactions need a connection each, and a few more: too few are said at start', async () => {
  const said: string[] = []
  const logger = { ...quiet, warn: (_facts: object, message: string) => void said.push(message) }
  await using db = new Kysely<any>({
    dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString: url, max: 4 })) }),
  })
  for (const concurrency of [1, 2]) {
    const options = { size: 10, hold: 'transaction', concurrency, logger } as const
    await using worker = createBatchWorker(db, 'mail_jobs', async () => {}, options)
    await worker.start()
  }
  expect(said).toEqual([expect.stringMatching(/concurrency: 2 batches .* of 4: give the pool more \(max: 6\)/)])
})

test('of a guarded pool that is large enough nothing is said', async () => {
  expect(await warnings(4, guardPool)).toEqual([])
})
