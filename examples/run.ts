/**
 * Runs an example: npm run example <name>. It gives it, as DATABASE_URL, a fresh database with the tables of
 * `migrations/`, or of the example's own `schema.sql`. The examples themselves are programs like a user's.
 */

import { existsSync, readFileSync } from 'node:fs'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { migrate } from '../migrations/migrate.ts'
import { openDatabase } from './database.ts'

const names = ['ten-lines', 'sign-up', 'exactly-once', 'ihp-table', 'generate-types']

const [name = ''] = process.argv.slice(2)
if (!names.includes(name)) {
  console.error(`Usage: npm run example <name>\n\nThere are ${names.join(', ')}.`)
  process.exit(1)
}

const database = await openDatabase('kysely_jobs_example')
try {
  await createTables(database.url)
  process.env.DATABASE_URL = database.url
  await import(`./${name}.ts`)
} finally {
  await database.close()
}

async function createTables(connectionString: string): Promise<void> {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString }) }) })
  const schema = new URL(`./${name}/schema.sql`, import.meta.url)
  if (existsSync(schema)) await sql.raw(readFileSync(schema, 'utf8')).execute(db)
  else await migrate(db)
  await db.destroy()
}
