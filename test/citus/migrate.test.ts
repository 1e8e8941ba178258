import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import {
  addJobColumns,
  createJobArchive,
  createJobIndexes,
  createJobTable,
  createKeyIndexes,
  createUniqueIndex,
  dropJobTable,
  dropJobTriggers,
  dropKeyIndexes,
} from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { spreadDatabase } from './spread.js'

const { db, plain, refused } = await spreadDatabase()
const ordinary = await testDatabase()

test('a table is distributed by a column of its own, which is the first of its primary key', async () => {
  const found = await inspectJobTable(db, 'mail_jobs')
  expect(found.home).toMatchObject({
    engine: { name: 'Citus', triggers: 'none', volatileInUpdate: false },
    placement: { kind: 'distributed', by: 'tenant_id' },
  })
  const [primary] = (await plain.introspection.getTables()).filter(({ name }) => name === 'mail_jobs')
  expect(primary?.columns.map(({ name }) => name)).toContain('tenant_id')
})

test('one that has no such column gets a bucket', async () => {
  await createJobTable(db, 'bucket_jobs', undefined, { distributeBy: 'bucket' })
  const { home, columns } = await inspectJobTable(db, 'bucket_jobs')
  expect(home.placement).toEqual({ kind: 'distributed', by: 'bucket' })
  expect(columns.get('bucket')).toBe('smallint')
})

test.each([
  ['tenant', 'distributeBy: "public"."wrong_jobs" has no column \'tenant\'; there are id, created_at'],
  ['', "distributeBy:  names no column; give one of yours, as in 'tenant_id', or 'bucket', which is made"],
])('a column that is not there is an error, and no table is made: %j', async (distributeBy, said) => {
  await expect(createJobTable(db, 'wrong_jobs', undefined, { distributeBy })).rejects.toThrow(said)
  expect((await plain.introspection.getTables()).map(({ name }) => name)).not.toContain('wrong_jobs')
})

const withNote = (table: any) =>
  table
    .addColumn('tenantId', 'integer', (column: any) => column.notNull())
    .addColumn('note', 'text')
    .addColumn('flag', 'boolean', (column: any) => column.notNull())
    .addColumn('place', 'json', (column: any) => column.notNull())
const camel = db.withPlugin(new CamelCasePlugin()) as Kysely<any>

test('the column is named as the others are, whatever plugins make of names', async () => {
  await createJobTable(camel, 'camelJobs', withNote, { distributeBy: 'tenantId', unique: [['tenantId', 'note']] })
  const { home } = await inspectJobTable(db, 'camel_jobs')
  expect(home.placement).toEqual({ kind: 'distributed', by: 'tenant_id' })
  await createKeyIndexes(camel, 'camelJobs', ['tenantId', 'note'])
  await dropKeyIndexes(camel, 'camelJobs', ['tenantId', 'note'])
})

test.each([
  ['flag', "distributeBy: 'flag' is a boolean, by which Citus finds no node; give another column"],
  ['runAt', "distributeBy: 'run_at' is a column of the queue; give one of your own"],
  ['place', "distributeBy: 'place' is of a type by which no table can be distributed"],
])('a column by which jobs can not be found is refused: %s', async (distributeBy, said) => {
  await expect(createJobTable(camel, 'wrongJobs', withNote, { distributeBy })).rejects.toThrow(said)
})

test('tables of a schema that is on one node are distributed no further', async () => {
  const wrong = createJobTable(camel.withSchema('node'), 'wrongJobs', withNote, { distributeBy: 'tenantId' })
  await expect(wrong).rejects.toThrow(
    'distributeBy: all tables of the schema "node" are on one node (schema-based sharding): leave the option out',
  )
})

test('jobs are unique by columns among which is that of the table, and by others not', async () => {
  const said =
    "unique: mail_jobs is distributed by 'tenant_id', and no node knows the jobs of the others, so jobs are unique among those of one 'tenant_id': name it too, as in ['tenant_id', 'note']"
  await expect(createUniqueIndex(db, 'mail_jobs', ['note'])).rejects.toThrow(said)
  await expect(createUniqueIndex(db, 'mail_jobs', ['note'], { concurrently: true })).rejects.toThrow(said)
  expect(refused).toEqual([])
})

test('jobs of several nodes have no archive, and their table no triggers to drop', async () => {
  await expect(createJobArchive(db, 'mail_jobs')).rejects.toThrow(
    `"public"."mail_jobs" is distributed by 'tenant_id', and jobs go to no archive from several nodes`,
  )
  await dropJobTriggers(db, 'mail_jobs')
  expect(refused).toEqual([])
})

test('a distributed table becomes a job table, with the key that its jobs need', async () => {
  await sql`create table orders (tenant_id int not null, note text)`.execute(db)
  await sql`select create_distributed_table('orders', 'tenant_id')`.execute(db)
  await expect(addJobColumns(db, 'orders', { id: 'bigint' })).rejects.toThrow(
    `id: 'bigint': Citus adds no column that is counted to "public"."orders", which is on its nodes: take 'uuid'`,
  )
  await addJobColumns(db, 'orders', { columns: ['priority'] })
  await createJobIndexes(db, 'orders')
  const { home, advice } = await inspectJobTable(db, 'orders')
  expect(home.placement).toMatchObject({ by: 'tenant_id' })
  expect(advice).toEqual([expect.stringContaining('notifyWorkers')])
  const keys = await sql<{ key: string }>`
    select pg_get_constraintdef(oid) as key from pg_constraint where conrelid = 'orders'::regclass and contype = 'p'`.execute(
    plain,
  )
  expect(keys.rows).toEqual([{ key: 'PRIMARY KEY (tenant_id, id)' }])
})

test('what is changed on all nodes is changed by one connection, so that the type may go with its last table', async () => {
  const mode = async (trx: Kysely<any>) => {
    const { rows } = await sql<{ mode: string | null }>`
      select current_setting('citus.multi_shard_modify_mode', true) as mode`.execute(trx)
    return rows[0]?.mode
  }
  const changing = (change: (trx: Kysely<any>) => Promise<void>) =>
    db.transaction().execute(async (trx) => {
      await change(trx as Kysely<any>) // of any tables
      return mode(trx as Kysely<any>)
    })
  const create = (trx: Kysely<any>) => createJobTable(trx, 'gone_jobs', undefined, { distributeBy: 'bucket' })
  expect(await changing(create)).toBe('sequential')
  expect(await changing((trx) => dropJobTable(trx, 'gone_jobs'))).toBe('sequential')
})

test('without Citus there is nothing to distribute a table to', async () => {
  await expect(createJobTable(ordinary.db, 'jobs', undefined, { distributeBy: 'bucket' })).rejects.toThrow(
    "distributeBy: 'bucket' is for a server with Citus, and this database has not got the extension: leave the option out, or let an earlier migration say: create extension citus",
  )
})
