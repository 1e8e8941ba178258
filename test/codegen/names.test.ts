import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { createTestDatabase } from '../support/database.js'

/** The properties of `DB` for a database of such tables, written as SQL names them. */
async function keys(...tables: string[]): Promise<string[]> {
  await using database = await createTestDatabase()
  await sql.raw('create schema billing; create schema "My Schema"').execute(database.db)
  for (const table of tables) await sql.raw(`create table ${table} (id int)`).execute(database.db)
  const text = await generateTypes(database.db)
  const properties = text.match(/export interface DB \{\n(.*?)\n\}/s)?.[1]?.split('\n') ?? []
  return properties.map((line) => line.trim()).filter((line) => !line.startsWith('/**'))
}

test('a table in public has its own name as key, any other its schema as well', async () => {
  expect(await keys('send_mail_jobs', 'billing.accounts', '"My Schema"."My Table"')).toEqual([
    "'My Schema.My Table': MySchemaMyTable",
    "'billing.accounts': BillingAccounts",
    'send_mail_jobs: SendMailJobs',
  ])
})

test('a name that is no identifier is quoted as key; its type is called as kysely-codegen calls it', async () => {
  const odd = [
    '"1st"',
    '_private',
    '"it\'s"',
    '"a""b"',
    String.raw`"back\slash"`,
    '"🧾 bills"',
    '"数据"',
    '"über"',
    '"a.b"',
  ]
  expect(await keys(...odd, '"drop table users; --"', '"select"', '"line\nbreak"', '"$"', '"-"')).toEqual([
    '$: $',
    "'-': _",
    "'1st': _1st",
    '_private: _Private',
    `'a"b': AB`,
    "'a.b': AB2",
    String.raw`'back\\slash': BackSlash`,
    "'drop table users; --': DropTableUsers",
    `"it's": ItS`,
    String.raw`'line\nbreak': LineBreak`,
    'select: Select',
    "'über': _Ber",
    "'数据': 数据",
    "'🧾 bills': _Bills",
  ])
})

test('tables whose types would have one name are numbered in the order of their keys', async () => {
  expect(await keys('user_accounts', '"user accounts"', '"userAccounts"', 'user_accounts2')).toEqual([
    "'user accounts': UserAccounts",
    'userAccounts: UserAccounts2',
    'user_accounts: UserAccounts3',
    'user_accounts2: UserAccounts22',
  ])
})

test('a table can be called like a type of the file itself, of TypeScript or of Node', async () => {
  expect(await keys('"DB"', 'generated', 'json', '"timestamp"', 'date', 'buffer', 'column_type', 'string')).toEqual([
    'DB: DB2',
    'buffer: Buffer2',
    'column_type: ColumnType2',
    'date: Date2',
    'generated: Generated2',
    'json: Json2',
    'string: String',
    'timestamp: Timestamp2',
  ])
})

test('where a dot in a name makes two tables share a key, it is the one that Kysely finds by it', async () => {
  await using database = await createTestDatabase()
  await sql
    .raw(`create schema billing; create table "billing.accounts" (wrong int); create table billing.accounts (a int)`)
    .execute(database.db)
  const warnings: string[] = []
  const text = await generateTypes(database.db, {}, { warn: (warning) => warnings.push(warning) })
  expect(warnings).toEqual([
    '"public"."billing.accounts" is left out: its key "billing.accounts" is that of "billing"."accounts". Rename one of them',
  ])
  expect(text).toContain("'billing.accounts': BillingAccounts\n")
  expect(text).not.toContain('wrong')
  expect(await database.db.selectFrom('billing.accounts').select('a').execute()).toEqual([])
})

test('the same tables give the same text, in whatever order they, their columns and their enums were made', async () => {
  const statements = [
    `create type mood as enum ('sad', 'happy')`,
    `create type "Mood" as enum ('x')`,
    `create domain email as text not null`,
    `create table user_accounts (id int)`,
    `create table "userAccounts" (id bigint)`,
    `create schema billing`,
  ]
  const tables = (columns: string[]) => [
    `create table users (${columns.join(', ')})`,
    `create table billing.users (${columns.join(', ')})`,
    `create view adults as select 1 as id`,
  ]
  const columns = ['a mood', 'b "Mood"', 'c email', 'd timestamptz[]', '"E" point', 'id uuid primary key']
  const forwards = [...statements, ...tables(columns)]
  const backwards = [...statements.toReversed(), ...tables(columns.toReversed()).toReversed()]
  const texts = await Promise.all(
    [forwards, backwards].map(async (order) => {
      await using database = await createTestDatabase()
      for (const statement of order) await sql.raw(statement).execute(database.db)
      return await generateTypes(database.db)
    }),
  )
  expect(texts[0]).toContain('export interface BillingUsers')
  expect(texts[1]).toBe(texts[0])
})
