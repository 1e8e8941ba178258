import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import {
  addJobColumns,
  createJobIndexes,
  createJobTriggers,
  dropJobColumns,
  dropJobIndexes,
  dropJobTriggers,
  resetJobStorage,
  setJobStorage,
} from 'kysely-jobs/migrate'
import { fetchNextJobs, inspectJobTable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { columnsOf, indexesOf, leftovers } from './catalog.js'

const { db } = await testDatabase()
const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'

async function createOrders(handle: Kysely<any>): Promise<void> {
  await sql`drop table if exists orders`.execute(handle)
  await sql`create table orders (id bigint generated always as identity primary key, total int not null, created_at timestamptz not null default now())`.execute(
    handle,
  )
}

test('a table that exists becomes a job table part by part, and loses each part again', async () => {
  await createOrders(db)
  const before = { left: await leftovers(db), columns: await columnsOf(db, 'orders') }
  await addJobColumns(db, 'orders', { columns: ['priority'] })
  expect((await inspectJobTable(db, 'orders')).advice).toHaveLength(2)
  await createJobIndexes(db, 'orders')
  await setJobStorage(db, 'orders')
  await createJobTriggers(db, 'orders')
  expect((await inspectJobTable(db, 'orders')).advice).toEqual([])
  await enqueue(db, 'orders', { total: 5 })
  expect(await fetchNextJobs(db, 'orders', { worker, limit: 5, columns: ['priority'] })).toMatchObject([{ total: 5 }])

  await dropJobTriggers(db, 'orders')
  await resetJobStorage(db, 'orders')
  await dropJobIndexes(db, 'orders')
  await dropJobColumns(db, 'orders', { columns: ['priority', 'updated_at'] })
  expect({ left: await leftovers(db), columns: await columnsOf(db, 'orders') }).toEqual(before)
})

test('the storage of a table in partitions is that of its partitions', async () => {
  await sql`
    create schema parts; create table events (id uuid not null, kind text not null) partition by list (kind);
    create table parts.mails partition of events for values in ('mail') partition by hash (id);
    create table parts."mails 0" partition of parts.mails for values with (modulus 1, remainder 0);
    create table others partition of events default`.execute(db)
  const options = async () => {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class where 'fillfactor=85' = any(reloptions) and relname in
        ('events', 'mails', 'mails 0', 'others') order by relname`.execute(db)
    return rows.map(({ name }) => name)
  }
  await setJobStorage(db, 'events')
  expect(await options()).toEqual(['mails 0', 'others'])
  await resetJobStorage(db, 'events')
  expect(await options()).toEqual([])
})

test('what a table has stays as it is: its id, its rows, its own columns of the same names', async () => {
  await createOrders(db)
  await sql`insert into orders (total) values (1), (2)`.execute(db)
  await addJobColumns(db, 'orders')
  expect(await columnsOf(db, 'orders')).toContain('id bigint not null identity')
  expect(await fetchNextJobs(db, 'orders', { worker, limit: 5 })).toMatchObject([{ total: 1 }, { total: 2 }])
  await dropJobColumns(db, 'orders')
  expect(await columnsOf(db, 'orders')).toEqual(expect.arrayContaining([expect.stringMatching(/^created_at/)]))
  expect(await db.selectFrom('orders').select('total').execute()).toHaveLength(2)
})

test('a table without id or key gets both; one with a key of its own keeps that', async () => {
  await sql`create table keyless (note text); create table keyed (code text primary key)`.execute(db)
  await addJobColumns(db, 'keyless', { id: 'bigint' })
  await addJobColumns(db, 'keyed', { status: 'text' })
  expect(await indexesOf(db, 'keyless')).toEqual(['CREATE UNIQUE INDEX keyless_pkey btree (id)'])
  expect((await indexesOf(db, 'keyed')).toSorted()).toEqual([
    'CREATE UNIQUE INDEX keyed_id_key btree (id)',
    'CREATE UNIQUE INDEX keyed_pkey btree (code)',
  ])
  expect((await inspectJobTable(db, 'keyed')).key).toBeUndefined()
})

test('indexes are built beside running writers, and a broken or outdated one is made anew', async () => {
  await createOrders(db)
  await addJobColumns(db, 'orders')
  await createJobIndexes(db, 'orders', { concurrently: true })
  await addJobColumns(db, 'orders', { columns: ['priority'] })
  await sql`update pg_index set indisvalid = false where indexrelid = 'job_running_orders'::regclass`.execute(db)
  await createJobIndexes(db, 'orders', { concurrently: true })
  expect(await indexesOf(db, 'orders')).toContainEqual(
    expect.stringContaining('job_ready_orders btree (priority DESC, run_at)'),
  )
  const { rows } = await sql`select indexrelid::regclass::text as broken from pg_index where not indisvalid`.execute(db)
  expect(rows).toEqual([])
  const due = () => sql`select 'job_due_orders'::regclass::oid as oid`.execute(db)
  const made = await due()
  await createJobIndexes(db, 'orders', { concurrently: true })
  expect((await due()).rows).toEqual(made.rows) // what is as it should be stays
  await dropJobIndexes(db, 'orders', { concurrently: true })
  expect(await indexesOf(db, 'orders')).toEqual(['CREATE UNIQUE INDEX orders_pkey btree (id)'])
})
