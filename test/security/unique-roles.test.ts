import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { expect, test } from 'vitest'
import { createSyncTables, unique } from '../queue/sync-jobs.js'
import { testDatabase } from '../support/database.js'
import { createRole, handleAs } from './roles.js'

// The privileges that the page says an enqueuer of unique jobs needs, and no others.

const database = await testDatabase(createSyncTables)
const { db } = database
const tables = sql.raw('sync_jobs, queued_jobs, hourly_jobs')
const orders = { shop: 1, resource: 'orders', cursor: 'a' }

const role = await createRole(database)
await sql`grant select, insert (id, run_at, shop, resource, cursor) on ${tables} to ${sql.id(role)}`.execute(db)
const enqueuer = handleAs(database, role)

test('who ignores what stands needs what every enqueuer needs', async () => {
  for (const isNew of [true, false]) {
    expect(await enqueue(enqueuer, 'sync_jobs', orders, { unique })).toMatchObject({ isNew })
  }
  await expect(enqueue(enqueuer, 'sync_jobs', orders, { unique, onConflict: 'error' })).rejects.toMatchObject({
    code: 'JOB_EXISTS',
  })
})

test.each([
  [
    'sync_jobs',
    { onConflict: 'replace' },
    'update (status, attempts_count, locked_at, locked_by, run_at, last_error, updated_at, shop, resource, cursor)',
  ],
  [
    'sync_jobs',
    { onConflict: 'keepEarliest' },
    'update (status, attempts_count, locked_at, locked_by, run_at, last_error, updated_at)',
  ],
  [
    'queued_jobs',
    { whileRunning: 'queue' },
    'update (status, attempts_count, locked_at, locked_by, run_at, last_error, updated_at)',
  ],
  ['hourly_jobs', { within: '1h' }, 'insert (created_at)'],
] as const)('%s with %j needs more, and no more than that', async (table, options, privileges) => {
  const call = () => enqueue(enqueuer, table, orders, { unique, ...options } as object)
  await expect(call()).rejects.toMatchObject({ code: '42501' })
  await sql`grant ${sql.raw(privileges)} on ${sql.table(table)} to ${sql.id(role)}`.execute(db)
  await call()
  expect(await call()).toMatchObject({ isNew: false })
  await sql`revoke update, insert (created_at) on ${sql.table(table)} from ${sql.id(role)}`.execute(db)
})
