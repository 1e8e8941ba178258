import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { enqueue } from 'kysely-jobs'
import {
  addJobColumns,
  createJobIndexes,
  createJobTable,
  createJobTriggers,
  dropJobColumns,
  dropJobIndexes,
  dropJobTable,
  dropJobTriggers,
  setJobStorage,
} from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../support/database.js'
import { leftovers } from './catalog.js'

/** Migrations as a user writes them. */
const migrations: Record<string, Migration> = {
  '1_orders': {
    up: (db) =>
      db.schema
        .createTable('orders')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .execute(),
    down: (db) => db.schema.dropTable('orders').execute(),
  },
  '2_mail_jobs': {
    up: (db) =>
      createJobTable(
        db,
        'mail_jobs',
        (table) => table.addColumn('order_id', 'integer', (column) => column.references('orders.id').notNull()),
        { columns: ['priority', 'result'] },
      ),
    down: (db) => dropJobTable(db, 'mail_jobs'),
  },
  '3_orders_are_jobs': {
    up: async (db) => {
      await addJobColumns(db, 'orders')
      await createJobIndexes(db, 'orders')
      await setJobStorage(db, 'orders')
      await createJobTriggers(db, 'orders')
    },
    down: async (db) => {
      await dropJobTriggers(db, 'orders')
      await dropJobIndexes(db, 'orders')
      await dropJobColumns(db, 'orders', { columns: ['created_at', 'updated_at'] })
    },
  },
}

function migratorOf(db: Kysely<any>, more: Record<string, Migration> = {}): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations, ...more }) } })
}

test("Kysely's Migrator goes up and down again through one connection, and nothing is left behind", async () => {
  await using database = await createTestDatabase({ pool: { max: 1 } })
  const { db } = database
  const migrator = migratorOf(db)
  expect((await migrator.migrateTo('1_orders')).error).toBeUndefined()
  const before = await leftovers(db)
  const up = await migrator.migrateToLatest()
  expect(up.results?.map(({ status }) => status)).toEqual(['Success', 'Success'])
  await db.insertInto('orders').values({ id: 5 }).execute()
  expect(await enqueue(db, 'mail_jobs', { order_id: 5, priority: 2 })).toMatchObject({ order_id: 5, priority: 2 })
  await db.deleteFrom('mail_jobs').execute()
  expect((await migrator.migrateTo('1_orders')).error).toBeUndefined()
  expect(await leftovers(db)).toEqual(before)
  expect(await db.selectFrom('orders').selectAll().execute()).toEqual([{ id: 5 }])
})

test('a run of migrations that fails leaves nothing of those before it', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  const broken: Migration = { up: (handle) => createJobTable(handle, 'mail_jobs') } // it is there already
  const { error } = await migratorOf(db, { '4_broken': broken }).migrateToLatest()
  expect(error).toMatchObject({ code: '42P07' })
  expect((await leftovers(db)).filter((what) => !what.includes('kysely_migration'))).toEqual([])
})

test('two processes that migrate at once make one of everything', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  const runs = await Promise.all([migratorOf(db).migrateToLatest(), migratorOf(db).migrateToLatest()])
  expect(runs.map(({ error }) => error)).toEqual([undefined, undefined])
  expect(runs.flatMap(({ results }) => results)).toHaveLength(3)
})

test("as plain functions in a transaction of the user's they come and go with it", async () => {
  await using database = await createTestDatabase()
  const { db } = database
  const work = async (trx: Kysely<any>) => {
    for (const { up } of Object.values(migrations)) await up(trx)
    await sql`insert into orders (id) values (5)`.execute(trx)
    await enqueue(trx, 'mail_jobs', { order_id: 5 })
  }
  const undone = db.transaction().execute(async (trx) => {
    await work(trx)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await leftovers(db)).toEqual([])
  await db.transaction().execute(work)
  await db.transaction().execute(async (trx) => {
    for (const { down } of Object.values(migrations).toReversed()) await down?.(trx)
  })
  expect(await leftovers(db)).toEqual([])
})

test.each([
  ['addJobColumns', (db: Kysely<any>) => addJobColumns(db, 'x', { notify: 'none' } as never)],
  ['createJobIndexes', (db: Kysely<any>) => createJobIndexes(db, 'x', { concurrent: true } as never)],
  ['dropJobIndexes', (db: Kysely<any>) => dropJobIndexes(db, 'x', { concurrently: 'yes' } as never)],
  ['createJobTable', (db: Kysely<any>) => createJobTable(db, 'x', undefined, { notify: 'client' } as never)],
  ['dropJobColumns', (db: Kysely<any>) => dropJobColumns(db, 'x', { columns: ['name'] } as never)],
])('an option that %s does not know is refused before anything is done', async (_, migrate) => {
  await using database = await createTestDatabase()
  await database.db.schema.createTable('x').addColumn('id', 'integer').addColumn('name', 'text').execute()
  await expect(migrate(database.db)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  expect(await database.db.introspection.getTables()).toMatchObject([{ columns: [{ name: 'id' }, { name: 'name' }] }])
})
