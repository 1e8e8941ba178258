import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { migrate, unmigrate } from '../../migrations/migrate.js'
import { runCommand } from '../../src/cli/command.js'
import { createTestDatabase } from '../support/database.js'

const path = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))

/** What `kysely-jobs generate --verify` says of a file. */
async function verify(url: string, out: string): Promise<{ code: number; difference: string }> {
  let difference = ''
  const stdout = { write: (text: string) => (difference += text) }
  const code = await runCommand(['generate', '--url', url, '--out', out, '--verify'], {
    stdout,
    stderr: { write: () => {} },
    env: {},
  })
  return { code, difference }
}

test('the types of the demo and the examples are those of the tables that migrations/ makes', async () => {
  await using database = await createTestDatabase()
  await migrate(database.db)
  expect(await verify(database.url, path('db.ts'))).toEqual({ code: 0, difference: '' })
})

test("the types of the IHP table are those of IHP's own schema", async () => {
  await using database = await createTestDatabase()
  await sql.raw(readFileSync(path('ihp-table/schema.sql'), 'utf8')).execute(database.db)
  expect(await verify(database.url, path('ihp-table/db.ts'))).toEqual({ code: 0, difference: '' })
})

test('down takes away all that up made', async () => {
  await using database = await createTestDatabase()
  await migrate(database.db)
  await unmigrate(database.db)
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace
    union all select proname from pg_proc where pronamespace = 'public'::regnamespace
    union all select typname from pg_type where typnamespace = 'public'::regnamespace`.execute(database.db)
  expect(rows.filter(({ name }) => !/^_?kysely_migration/.test(name))).toEqual([])
})
