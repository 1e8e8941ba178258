import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import type { TableSelection } from '../../codegen/selection.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (db) => {
  await sql`create schema billing; create schema "a*b"`.execute(db)
  for (const table of ['users', 'mail_jobs', 'sms_jobs', 'billing.users', 'billing.jobs', '"a*b"."x(y"']) {
    await sql.raw(`create table ${table} (id int)`).execute(db)
  }
})

async function selected(selection: TableSelection): Promise<string[]> {
  const text = await generateTypes(db, selection)
  const keys = text.slice(text.indexOf('interface DB')).matchAll(/^ {2}'?([^':]*)/gm)
  return [...keys].map((match) => match[1]!)
}

test('without a selection every table of every schema is there', async () => {
  expect(await selected({})).toEqual(['a*b.x(y', 'billing.jobs', 'billing.users', 'mail_jobs', 'sms_jobs', 'users'])
})

test('tables are chosen by name in any schema, by their full name, and by patterns', async () => {
  expect(await selected({ tables: ['users'] })).toEqual(['billing.users', 'users'])
  expect(await selected({ tables: ['public.users'] })).toEqual(['users'])
  expect(await selected({ tables: ['*_jobs', 'billing.*'] })).toEqual([
    'billing.jobs',
    'billing.users',
    'mail_jobs',
    'sms_jobs',
  ])
  expect(await selected({ tables: ['x(y'] })).toEqual(['a*b.x(y'])
})

test('schemas are chosen by name and pattern, and narrow the choice of tables', async () => {
  expect(await selected({ schemas: ['billing'] })).toEqual(['billing.jobs', 'billing.users'])
  expect(await selected({ schemas: ['billing'], tables: ['*jobs'] })).toEqual(['billing.jobs'])
  expect(await selected({ schemas: ['a*', 'billing'], tables: ['users', 'x*'] })).toEqual(['a*b.x(y', 'billing.users'])
})

test('the file says by which selection it was made, as a shell takes it', async () => {
  expect(await generateTypes(db, { schemas: ['public'], tables: ['*_jobs'] })).toContain(
    "\n// npx kysely-jobs generate --out <this file> --schema public --table '*_jobs'\n",
  )
})

test.each([
  [{ tables: ['user'] }, 'No table is called "user"'],
  [{ tables: ['users', 'typo*'] }, 'No table is called "typo*"'],
  [{ schemas: ['bill'] }, 'No table is in a schema "bill"'],
  [{ schemas: ['billing'], tables: ['mail_jobs'] }, 'No table is called "mail_jobs"'],
] satisfies [TableSelection, string][])('%j: a pattern without a match is an error', async (selection, message) => {
  await expect(generateTypes(db, selection)).rejects.toMatchObject({ code: 'NO_SUCH_TABLES', message })
})
