import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { testDatabase } from '../support/database.js'
import { compiled } from './compiled.js'

const { db } = await testDatabase()

/** Texts of which almost every type takes one. */
const candidates = [
  ...['1', 'f', '{"a":1}', 'text', '2024-02-29', '12:34:56', '1 day 2 hours', '(1,2)', '<(1,2),3>', '{1,2,3}'],
  ...['((1,2),(3,4))', '[1,3)', '[2024-02-29,2024-03-01)', '{[1,3)}', '{[2024-02-29,2024-03-01)}', '127.0.0.1'],
  ...['08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '00000000-0000-4000-8000-000000000000', '0/1', '1:1:'],
  ...['pg_class', 'now', 'now()', '+(integer,integer)', 'english', 'simple', '<a/>', '(0,1)', 'postgres=r/postgres'],
]

interface BaseType {
  readonly name: string
  readonly array: string | null
}

/** The types of Postgres that a column can have: all but pseudo types, and the rows of its own tables. */
async function baseTypes(): Promise<BaseType[]> {
  const { rows } = await sql<BaseType>`
    select format_type(t.oid, null) as name, nullif(t.typarray, 0)::regtype::text as array
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where n.nspname = 'pg_catalog' and t.typtype in ('b', 'r', 'm')
      and not exists (select from pg_type e where e.typarray = t.oid)
    order by 1`.execute(db)
  return rows
}

/** A text that the type takes; undefined where it takes none from anybody. */
async function validText(type: string): Promise<string | undefined> {
  const refusals: string[] = []
  for (const text of candidates) {
    try {
      await sql`select ${sql.lit(text)}::${sql.raw(type)}`.execute(db)
      return text
    } catch (error: any) {
      refusals.push(error.message)
    }
  }
  // Types of the catalog's own values take no text at all, and say so in one way or another.
  const others = refusals.filter((message) => !/^cannot accept a value of type|_in not implemented$/.test(message))
  expect(others, `${type}: which text does it take?`).toEqual([])
  return undefined
}

/** How TypeScript calls what the driver made. */
function typeOf(value: unknown): string {
  if (value instanceof Date) return 'Date'
  if (Buffer.isBuffer(value)) return 'Buffer'
  if (Array.isArray(value)) return `${typeOf(value[0])}[]`
  if (typeof value !== 'object' || value === null) return typeof value
  if ('toPostgres' in value) return 'IPostgresInterval'
  return `{ ${Object.entries(value)
    .map(([name, part]) => `${name}: ${typeOf(part)}`)
    .join('; ')} }`
}

test('what the driver makes of each type of Postgres, and of its array, is what the generated type says', async () => {
  const columns: { readonly name: string; readonly isJson: boolean }[] = []
  const definitions: string[] = []
  const values: string[] = []
  for (const { name, array } of await baseTypes()) {
    const text = await validText(name)
    const value = text === undefined ? 'null' : `'${text}'`
    for (const [type, expression] of [
      [name, `${value}::${name}`],
      [array, `array[${value}::${name}]`],
    ]) {
      if (type == null) continue
      columns.push({ name: `c${columns.length}`, isJson: /^jsonb?(\[\])?$/.test(type) })
      definitions.push(`c${definitions.length} ${type}`)
      values.push(text === undefined ? 'null' : String(expression))
    }
  }
  expect(columns.length).toBeGreaterThan(140) // Postgres 13 has 144
  await sql.raw(`create table every (${definitions.join(', ')})`).execute(db)
  await sql.raw(`insert into every values (${values.join(', ')})`).execute(db)

  const row = await db.selectFrom('every').selectAll().executeTakeFirstOrThrow()
  const claims = columns.flatMap(({ name, isJson }, i) => {
    const [column, made] = [`NonNullable<Selectable<Every>['${name}']>`, typeOf(row[name])]
    if (row[name] === null) return [`holds<Fits<${column}, string>>() // ${definitions[i]}`]
    // What JSON is made into depends on the value, so here the type is the wider one.
    return [
      `holds<Fits<${made}, ${column}>>() // ${definitions[i]}`,
      ...(isJson ? [] : [`holds<Fits<${column}, ${made}>>() // ${definitions[i]}`]),
    ]
  })
  const program = `
import type { Selectable } from 'kysely'
import type { Every, IPostgresInterval } from './db.js'
type Fits<A, B> = [A] extends [B] ? true : false
declare function holds<Claim extends true>(): Claim
${claims.join('\n')}`
  const text = await generateTypes(db, { tables: ['every'] })
  expect(await compiled({ files: { 'db.ts': text, 'claims.ts': program } })).toBe('')
  const broken = program.replaceAll(': number', ': string')
  expect(await compiled({ files: { 'db.ts': text, 'claims.ts': broken } })).toContain("'false' does not satisfy")
})
