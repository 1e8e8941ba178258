import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { statistics } from './large-table.js'
import { createSyncTables, unique } from './sync-jobs.js'

const { db, pool } = await testDatabase(createSyncTables)
const tables = ['sync_jobs', 'queued_jobs', 'hourly_jobs']

/** 200,000 jobs in each table: 60 % have ended (of shops that have hundreds of them), the others wait, run or are tried again. */
beforeAll(async () => {
  for (const table of tables) {
    await sql`alter table ${sql.table(table)} set (autovacuum_enabled = off)`.execute(db)
    await sql`analyze ${sql.table(table)}`.execute(db)
    await sql`
      insert into ${sql.table(table)} (status, shop, resource, created_at, run_at, locked_at)
      select (case when n % 10 < 6 then 'job_status_succeeded' when n % 10 = 6 then 'job_status_retry' when n % 10 = 7
          then 'job_status_running' else 'job_status_not_started' end)::job_status,
        case when n % 10 < 6 then n % 500 else n end, 'orders', now() - n * interval '1 second', now() + n * interval '1 second',
        case when n % 10 in (6, 7) then now() end
      from generate_series(1, 200000) as n`.execute(db)
  }
  const held = await pool.connect() // as in the other test of plans, what is dead is not cleaned up
  afterAll(() => held.release())
  await held.query('begin isolation level repeatable read')
  await held.query('select from sync_jobs limit 1')
})

const waiting = { shop: 9, resource: 'orders', cursor: 'new' }
const running = { shop: 7, resource: 'orders', cursor: 'new' }
const ended = { shop: 3, resource: 'orders', cursor: 'new' } // of which none is unfinished
const recent = { shop: 4, resource: 'orders', cursor: 'new' } // the last one ended 4 s after it was enqueued
const hundred = Array.from({ length: 100 }, (_, n) => ({ shop: 1 + n * 7, resource: 'orders' }))
const within = '1h'

/**
 * Calls with the statements that each sends (without the begin and commit of their own transaction), and the most buffers that all
 * of them touch. Measured (PG 18): 6 for one that is ignored or throttled, 15 to 27 where a row is written, 35 for the first of a time, 10
 * a row of an array that is ignored, 14 of one that is replaced. A scan of the table touches 3,000.
 */
const calls: [call: string, statements: number, buffers: number, run: (db: Kysely<any>) => Promise<unknown>][] = [
  ['a new job', 1, 60, (db) => enqueue(db, 'sync_jobs', ended, { unique })],
  ['one that is ignored', 1, 60, (db) => enqueue(db, 'sync_jobs', waiting, { unique })],
  [
    'one that is replaced',
    1,
    60,
    (db) => enqueue(db, 'sync_jobs', waiting, { unique, onConflict: 'replace', delay: '5m' }),
  ],
  ['one that runs', 1, 60, (db) => enqueue(db, 'sync_jobs', running, { unique, onConflict: 'replace' })],
  [
    'one that is kept earliest',
    1,
    60,
    (db) => enqueue(db, 'sync_jobs', waiting, { unique, onConflict: 'keepEarliest' }),
  ],
  [
    'one more behind a running one',
    1,
    60,
    (db) => enqueue(db, 'queued_jobs', running, { unique, whileRunning: 'queue' }),
  ],
  ['one that waits behind', 1, 60, (db) => enqueue(db, 'queued_jobs', waiting, { unique, whileRunning: 'queue' })],
  ['one that is throttled', 1, 60, (db) => enqueue(db, 'hourly_jobs', recent, { unique, within })],
  ['one whose time is over', 3, 100, (db) => enqueue(db, 'hourly_jobs', ended, { unique, within: '1s' })],
  ['a hundred, a tenth of them known', 1, 2000, (db) => enqueue(db, 'sync_jobs', hundred, { unique })],
  [
    'a hundred that are replaced',
    1,
    2500,
    (db) => enqueue(db, 'sync_jobs', hundred, { unique, onConflict: 'replace' }),
  ],
]

describe.each(statistics)('with the statistics %s', (state) => {
  beforeAll(async () => {
    if (state === 'fresh') await sql`analyze sync_jobs, queued_jobs, hourly_jobs`.execute(db)
  })

  test.each(calls)('%s: %i statements, by indexes, at most %i buffers', async (_call, statements, buffers, run) => {
    const plans = await plansOf(pool, run)
    const touched = plans.reduce((sum, plan) => sum + plan.buffers, 0)
    expect(plans).toHaveLength(statements)
    for (const table of tables) expect(plans.flatMap(({ scans }) => scans)).not.toContain(`Seq Scan: ${table}`)
    expect(touched).toBeLessThanOrEqual(buffers)
    expect(plans.flatMap(({ parameters }) => parameters).join()).not.toContain('job_status_')
  })
})
