import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from './database.js'

const { db, name } = await testDatabase<{ people: { name: string } }>((db) =>
  db.schema.createTable('people').addColumn('name', 'text').execute(),
)

test('a test file has a database of its own, with the tables it asked for', async () => {
  await db.insertInto('people').values({ name: 'Ada' }).execute()
  expect(await db.selectFrom('people').select('name').execute()).toEqual([{ name: 'Ada' }])
  const { rows } = await sql<{ here: string }>`select current_database() as here`.execute(db)
  expect(rows[0]?.here).toBe(name)
})

test('a closed database is gone, also when a client was never given back', async () => {
  const other = await createTestDatabase()
  const client = await other.pool.connect()
  const cut = new Promise((resolve) => client.once('end', resolve))
  await other.close()
  await cut
  const { rows } = await sql`select from pg_database where datname = ${other.name}`.execute(db)
  expect(rows).toEqual([])
})
