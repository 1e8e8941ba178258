import { CamelCasePlugin, Kysely, type KyselyPlugin, OperationNodeTransformer, PostgresDialect, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { rolledBack } from './mail-jobs.js'

const { db, pool } = await testDatabase(async (handle) => {
  await handle.schema.createSchema('billing').execute()
  for (const schema of ['public', 'billing']) {
    await createJobTable(
      handle.withSchema(schema),
      'mail_jobs',
      (table) =>
        table
          .addColumn('to', 'text', (column) => column.notNull().defaultTo('nobody'))
          .addColumn('copies', sql`text[]`)
          .addColumn('body', 'jsonb')
          .addColumn('file', 'bytea')
          .addColumn('size', 'bigint')
          .addColumn('constructor', 'text'),
      { notify: 'none' },
    )
  }
})

const log: { sql: string; parameters: readonly unknown[]; query: object }[] = []
const logged = new Kysely<any>({
  dialect: new PostgresDialect({ pool }),
  log: ({ query: { sql: text, parameters, query } }) => {
    if (text.startsWith('insert')) log.push({ sql: text, parameters, query })
  },
})

beforeEach(() => {
  log.length = 0
})

const many = Array.from({ length: 1_000 }, (_, n) => ({ to: `p${n}`, size: n }))

const arrays: Record<string, object[]> = {
  'one column': [{ to: 'ada' }, { to: 'ben' }],
  'a thousand rows': many,
  'all that a driver makes text of': [
    { body: { a: [1, null] }, copies: ['a', 'b"'], file: Buffer.from('\0x'), size: 2n ** 60n, run_at: new Date(0) },
    { body: null, copies: [], file: null, size: '5', run_at: '2030-01-01T00:00:00Z' },
  ],
  'the same columns in another order': [
    { to: 'ada', size: 1 },
    { size: 2, to: 'ben' },
  ],
  'different columns': [{ to: 'ada' }, { size: 5 }, { body: {} }],
  'a value that the last row alone lacks': [...many, { to: 'last' }],
  'undefined in some rows': [
    { to: 'ada', size: undefined },
    { to: undefined, size: 5 },
  ],
  'undefined in all rows': [
    { to: 'ada', size: undefined },
    { to: 'ben', size: undefined },
  ],
  'expressions in all rows': [{ to: sql`'a' || 'da'` }, { to: sql`upper(${'ben'})` }],
  'an expression in the last row': [...many, { to: 'zoe', size: sql`1 + 1` }],
  'functions that give expressions': [{ to: (eb: any) => eb.fn('upper', [eb.val('ada')]) }],
  subqueries: [{ to: 'ada' }, { to: db.selectNoFrom(sql<string>`'ben'`.as('name')) }],
  'a payload that looks like an expression': [{ body: { toOperationNode: 1, expressionType: 'a' } }],
  'a column that every object inherits': [{ constructor: 'a' }, { to: 'ben' }],
  'rows of a class': [
    new (class Mail {
      to = 'ada'
      get size() {
        return 5
      }
    })(),
    { to: 'ben', size: 6 },
  ],
}

const withoutId = (rows: object[]) => rows.map((row) => ({ ...row, id: undefined }))

/** Both in one transaction, so that their clock is the same. */
async function expectTheSame(handle: Kysely<any>, rows: object[], change = (trx: Kysely<any>) => trx): Promise<void> {
  await rolledBack(handle, async (begun) => {
    const trx = change(begun)
    const ordinary = await trx.insertInto('mail_jobs').values(rows).returningAll().execute()
    const enqueued = await enqueue(trx, 'mail_jobs', rows)
    expect(withoutId(enqueued)).toEqual(withoutId(ordinary))
    expect(enqueued).toHaveLength(rows.length)
  })
  const [ordinary, enqueued, ...more] = log.splice(0)
  expect(enqueued).toStrictEqual(ordinary)
  expect(more).toEqual([])
}

const all = Object.entries(arrays)

test.each(all)('%s: an array gives the rows of an ordinary insert, by its very statement', async (_, rows) => {
  await expectTheSame(logged, rows)
})

test.each(all)('%s: so it does with CamelCasePlugin', async (_, rows) => {
  await expectTheSame(logged.withPlugin(new CamelCasePlugin()), rows)
})

test('CamelCasePlugin finds the columns by the names it knows', async () => {
  await expectTheSame(logged.withPlugin(new CamelCasePlugin()), [{ runAt: new Date(0) }, { runAt: new Date(1) }])
})

test.each(all)('%s: in another schema', async (_, rows) => {
  await expectTheSame(logged.withSchema('billing'), rows)
  await expectTheSame(logged, rows, (trx) => trx.withSchema('billing'))
})

/** Writes down in capitals whoever is not ben, and answers in capitals: what no statement but the whole can show. */
class Shouting extends OperationNodeTransformer implements KyselyPlugin {
  readonly transformQuery: KyselyPlugin['transformQuery'] = ({ node, queryId }) => this.transformNode(node, queryId)
  readonly transformResult: KyselyPlugin['transformResult'] = async ({ result }) => ({
    ...result,
    rows: result.rows.map((row) => ({ ...row, said: `${Reflect.get(row, 'to')}!` })),
  })

  protected override transformPrimitiveValueList(
    ...given: Parameters<OperationNodeTransformer['transformPrimitiveValueList']>
  ) {
    const list = super.transformPrimitiveValueList(...given)
    return { ...list, values: list.values.map((value) => (value === 'ada' ? 'ADA' : value)) }
  }
}

test("a plugin of the user's sees each value and each row, as in an ordinary insert", async () => {
  const shouting = logged.withPlugin(new Shouting())
  await expectTheSame(shouting, [{ to: 'ben' }, { to: 'ada' }, { to: 'ada' }])
  await rolledBack(shouting, async (trx) => {
    const jobs = await enqueue(trx, 'mail_jobs', [{ to: 'ben' }, { to: 'ada' }])
    expect(jobs).toMatchObject([{ said: 'ben!' }, { said: 'ADA!' }])
  })
})

test('each array has its own values, whatever was enqueued before, and by whom', async () => {
  const enqueued = async (handle: Kysely<any>, ...names: string[]) => {
    const jobs = await enqueue(
      handle,
      'mail_jobs',
      names.map((to) => ({ to })),
    )
    return jobs.map(({ to }) => to)
  }
  await rolledBack(logged, async (trx) => {
    expect(await enqueued(trx, 'a', 'b')).toEqual(['a', 'b'])
    expect(await enqueued(trx.withSchema('billing'), 'c', 'd')).toEqual(['c', 'd'])
    expect(await enqueued(trx, 'e', 'f')).toEqual(['e', 'f'])
    expect(await enqueued(trx, 'g')).toEqual(['g'])
  })
  const ended = await logged.startTransaction().execute()
  expect(await enqueued(ended, 'h', 'i')).toEqual(['h', 'i'])
  await ended.rollback().execute()
  await expect(enqueued(ended, 'j', 'k')).rejects.toThrow('Transaction is already rolled back')
  expect(await db.selectFrom('mail_jobs').selectAll().execute()).toEqual([])
})
