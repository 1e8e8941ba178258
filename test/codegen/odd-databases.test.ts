import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { createTestDatabase } from '../support/database.js'
import { compiled } from './compiled.js'

/** The file for a database of such statements, and the warnings beside it. */
async function generated(statements: string, previous?: string) {
  await using database = await createTestDatabase()
  await sql.raw(statements).execute(database.db)
  const warnings: string[] = []
  const warn = (warning: string) => {
    warnings.push(warning)
  }
  return { text: await generateTypes(database.db, {}, { previous, warn }), warnings }
}

test('two enums with one key keep their names after a dump and a restore', async () => {
  const plain = `create schema a; create type a."b.c" as enum ('one');`
  const dotted = `create schema "a.b"; create type "a.b".c as enum ('two');`
  const table = 'create table t (x a."b.c", y "a.b".c)'
  const { text } = await generated(plain + dotted + table)
  expect(text).toContain("export type ABC = 'one'")
  expect((await generated(dotted + plain + table)).text).toBe(text)
})

test('a table that comes later takes no name from those that are there, nor from an enum', async () => {
  const before = `create type mood as enum ('sad'); create table user_accounts (id int, mood mood);`
  const { text } = await generated(before)
  const after = `${before} create table "user accounts" (id int); create table "Mood" (id int)`
  expect((await generated(after, text)).text).toContain(`export interface DB {
  Mood: Mood2
  'user accounts': UserAccounts2
  user_accounts: UserAccounts
}`)
  const { text: fresh } = await generated(after)
  expect(fresh).toContain('user_accounts: UserAccounts2')
  expect((await generated(after, fresh)).text).toBe(fresh)
  expect((await generated(after, 'a file of yours')).text).toBe(fresh)
})

test('names that Kysely reads as others are said, and what to write in their place', async () => {
  const { text, warnings } = await generated(
    'create table "b.c" (id int); create table " lead" (id int); create table "x as y" ("a.b" int); create table plain (id int)',
  )
  expect(warnings).toEqual([
    `" lead": Kysely reads this key as another name: select from sql\`\${sql.id("public", " lead")}\`.as('alias'), or rename the table`,
    `"b.c": Kysely reads this key as another name: select from sql\`\${sql.id("public", "b.c")}\`.as('alias'), or rename the table`,
    `"x as y": Kysely reads this key as another name: select from sql\`\${sql.id("public", "x as y")}\`.as('alias'), or rename the table`,
    `"public"."x as y": Kysely reads its column "a.b" as another name: select it as sql.id(...), or rename it`,
  ])
  expect(text.match(/Kysely reads this key/g)).toHaveLength(3)
  await using database = await createTestDatabase()
  await sql`create table "b.c" (id int); insert into "b.c" values (5)`.execute(database.db)
  const said = sql<{ id: number }>`${sql.id('public', 'b.c')}`.as('alias')
  expect(await database.db.selectFrom(said).select('alias.id').execute()).toEqual([{ id: 5 }])
})

test('a comment is no directive to the compiler, and Node has not to be among the types', async () => {
  const { text } = await generated(`
    create table odd (id int, photo bytea, grid int[][] not null, cube numeric(3)[][][]);
    comment on column odd.id is '@ts-expect-error'; comment on column odd.photo is '@ts-ignore it';
    comment on table odd is '@ts-nocheck'`)
  expect(text).toContain('grid: number[][]\n')
  expect(text).toContain('cube: ArrayType<ArrayType<NumericArray>> | null\n')
  const program = `import type { Insertable, Selectable } from 'kysely'
import type { DB } from './db.js'
export const row: Insertable<DB['odd']> = { grid: [[1, 2], [3]], cube: [[['1', 2]]] }
export const size = (row: Selectable<DB['odd']>): number => (row.photo?.length ?? 0) + (row.grid[0]?.[0] ?? 0) + (row.cube?.[0]?.[0]?.[0] ?? 0)
`
  expect(await compiled({ files: { 'db.ts': text, 'program.ts': program }, types: [] })).toBe('')
})

test('a column that is NOT NULL but not validated may be read as null, and must be given', async () => {
  await using database = await createTestDatabase()
  const { rows } = await sql<{ version: number }>`select current_setting('server_version_num')::int as version`.execute(
    database.db,
  )
  if ((rows[0]?.version ?? 0) < 180_000) return // such constraints came with Postgres 18
  const { text } = await generated(`
    create table old (id bigint, seen text, n int default 3);
    insert into old values (null, null, null);
    alter table old add constraint a not null id not valid, add constraint b not null seen not valid, add constraint c not null n not valid`)
  expect(text).toContain('id: NullFromBefore<Int8>\n')
  const program = `import type { Insertable, Selectable } from 'kysely'
import type { DB } from './db.js'
export const given: Insertable<DB['old']> = { id: 1, seen: 'now' }
// @ts-expect-error it must be given
export const missing: Insertable<DB['old']> = { id: 1 }
// @ts-expect-error no null any more
export const empty: Insertable<DB['old']> = { id: null, seen: 'now' }
export const read = (row: Selectable<DB['old']>): [string | null, string | null, number | null] => [row.id, row.seen, row.n]
`
  expect(await compiled({ files: { 'db.ts': text, 'program.ts': program } })).toBe('')
})
