import { CamelCasePlugin, Kysely, type KyselyPlugin, PostgresDialect, sql } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { everyVerb } from './every-verb.js'

const { db, url } = await testDatabase()

/** Another handle on the same database. */
function handle(options: { plugins?: KyselyPlugin[]; types?: pg.CustomTypesConfig } = {}): Kysely<any> {
  const pool = quietPool({ connectionString: url, ...(options.types && { types: options.types }) })
  const other = new Kysely<any>({ dialect: new PostgresDialect({ pool }), plugins: options.plugins ?? [] })
  afterAll(() => other.destroy())
  return other
}

const withPayload: Parameters<typeof createJobTable>[2] = (table) =>
  table.addColumn('file_path', 'text', (column) => column.notNull())
const payload = (n: number) => ({ file_path: `/${n}.png` })

/** Driver settings that read a type of Postgres in another way than pg's own. */
function reading(names: readonly (keyof typeof pg.types.builtins)[], parse: (text: string) => unknown) {
  const types = new pg.TypeOverrides()
  for (const name of names) types.setTypeParser(pg.types.builtins[name], parse)
  return types as unknown as pg.CustomTypesConfig
}

test.each(['uuid', 'bigint', 'int', 'text'] as const)('ids of type %s', async (id) => {
  await createJobTable(db, `${id}_jobs`, withPayload, { id })
  await everyVerb(db, `${id}_jobs`, (n) => ({ ...payload(n), ...(id === 'text' && { id: `job "${n}"` }) }))
})

test('ids of type bigint that the driver reads as bigint, or as number', async () => {
  await createJobTable(db, 'counted_jobs', withPayload, { id: 'bigint' })
  await everyVerb(handle({ types: reading(['INT8'], BigInt) }), 'counted_jobs', payload)
  await everyVerb(handle({ types: reading(['INT8'], Number) }), 'counted_jobs', payload)
})

test('status as text', async () => {
  await createJobTable(db, 'text_status_jobs', withPayload, { status: 'text' })
  await everyVerb(db, 'text_status_jobs', payload)
})

test('timestamps that the driver reads as strings, or as objects of its own', async () => {
  await createJobTable(db, 'timed_jobs', withPayload)
  await everyVerb(handle({ types: reading(['TIMESTAMPTZ'], String) }), 'timed_jobs', payload)
  await everyVerb(handle({ types: reading(['TIMESTAMPTZ'], (text) => ({ instant: text })) }), 'timed_jobs', payload)
})

test.each([
  ['as it comes', {}, 'pageCount'],
  ['with underscores before digits', { underscoreBeforeDigits: true }, 'page2'],
  ['with underscores between capitals', { underscoreBetweenUppercaseLetters: true }, 'pageURL'],
  ['that leaves nested objects alone', { maintainNestedObjectKeys: true }, 'pageCount'],
])('CamelCasePlugin %s', async (_, options, column) => {
  const camel = handle({ plugins: [new CamelCasePlugin(options)] })
  await createJobTable(camel, 'imageJobs', (table) => table.addColumn(column, 'integer'))
  try {
    await everyVerb(camel, 'imageJobs', (n) => ({ [column]: n }))
  } finally {
    await dropJobTable(camel, 'imageJobs')
  }
})

test('CamelCasePlugin and a table of another schema, by its full name and by withSchema', async () => {
  await sql`create schema my_billing`.execute(db)
  const camel = handle({ plugins: [new CamelCasePlugin()] })
  await createJobTable(camel, 'myBilling.invoiceJobs', (table) => table.addColumn('dueAmount', 'integer'))
  await everyVerb(camel, 'myBilling.invoiceJobs', (n) => ({ dueAmount: n }))
  await everyVerb(camel.withSchema('myBilling'), 'invoiceJobs', (n) => ({ dueAmount: n }))
})

test('a table of another schema, by its full name and by withSchema', async () => {
  await sql`create schema "Billing"`.execute(db)
  await createJobTable(db, 'jobs', withPayload) // a table of the same name where search_path finds it
  await createJobTable(db, 'Billing.jobs', withPayload)
  await everyVerb(db, 'Billing.jobs', payload)
  await everyVerb(db.withSchema('Billing'), 'jobs', payload)
  await everyVerb(db, 'jobs', payload)
})

test("a plugin of the user's that rewrites every row", async () => {
  const frozen: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => ({
      ...result,
      rows: result.rows.map((row) => Object.freeze({ ...row, rewritten: true })),
    }),
  }
  await createJobTable(db, 'rewritten_jobs', withPayload)
  await everyVerb(handle({ plugins: [frozen] }), 'rewritten_jobs', payload)
})

test.each([
  'My "odd" jobs; drop table users --',
  "it's",
  'aufträge 🧾',
  'order',
  'SELECT',
  'two  words',
  ' ',
  '%I $1 \\',
])('a table and columns called %j', async (name) => {
  await createJobTable(db, name, (table) => table.addColumn(`${name}?`, 'text').addColumn('user', 'text'))
  await everyVerb(db, name, (n) => ({ [`${name}?`]: `'${n}"; --`, user: 'ann' }))
})

test('a worker outlives transactions, so it is refused to be made of one', async () => {
  await db.transaction().execute(async (trx) => {
    expect(() => createWorker(trx, 'jobs', () => {})).toThrow('createWorker: jobs was given a transaction')
  })
})
