import fc from 'fast-check'
import { CamelCasePlugin, sql } from 'kysely'
import { cancelJobs, deleteJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import type { Filter } from '../../src/observe/filter.js'
import { parseFilter } from '../../src/observe/filter-text.js'
import { isMatch, proveFilters } from '../../src/observe/matching.js'
import { selectionOf } from '../../src/observe/selection.js'
import { type ShownState, shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  await sql`
    create schema "Billing 2";
    create type mood as enum ('sad', 'fine', 'glad');
    create domain positive as int check (value > 0);
    create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`.execute(handle)
  await createJobTable(handle.withSchema('Billing 2'), 'Order Jobs', (table) =>
    table
      .addColumn('n', 'integer')
      .addColumn('name', 'text')
      .addColumn('Weird "col', sql`text collate any_case`)
      .addColumn('code', sql`char(4)`)
      .addColumn('short', 'varchar(3)')
      .addColumn('sys', sql`name`)
      .addColumn('one', sql`"char"`)
      .addColumn('mood', sql`mood`)
      .addColumn('pos', sql`positive`)
      .addColumn('ratio', 'real')
      .addColumn('is_vip', 'boolean')
      .addColumn('day', 'date')
      .addColumn('at', 'timestamp')
      .addColumn('owner', 'uuid')
      .addColumn('span', 'int4range')
      .addColumn('wait', sql`interval`)
      .addColumn('place', sql`point`)
      .addColumn('tags', sql`text[]`)
      .addColumn('blob', 'bytea')
      .addColumn('payload', 'jsonb')
      .addColumn('raw', 'json'),
  )
})
const orders = db.withSchema('Billing 2')
const view = await jobView(orders, 'Order Jobs')

/** The values of `n` of the jobs that meet filters. */
async function found(...filters: Filter[]): Promise<number[]> {
  await proveFilters(db, view, filters)
  const { rows } = await sql<{
    n: number
  }>`select n from "Billing 2"."Order Jobs" as job where ${isMatch(view, filters)} order by n`.execute(db)
  return rows.map(({ n }) => n)
}

async function fill(rows: readonly Record<string, unknown>[]): Promise<void> {
  await sql`truncate "Billing 2"."Order Jobs"`.execute(db)
  await orders
    .insertInto('Order Jobs')
    .values(rows.map((row, n) => ({ n, ...row })))
    .execute()
}

describe('a filter finds', () => {
  test.each<[text: string, values: unknown[], found: number[]]>([
    ['name=ada', ['ada', 'Ada', 'ada ', null], [0]],
    ['name!=ada', ['ada', 'bob', null], [1, 2]],
    ['name~%', ['50%', 'fifty', null], [0]],
    ['name~_D', ['a_d', 'abd', null], [0]],
    ['name^=ad', ['ADA', 'nada', null], [0]],
    ['name>b', ['a', 'b', 'c'], [2]],
    ['name is empty', ['', null, ' '], [0, 1]],
    ['name is not empty', ['', null, ' '], [2]],
    ['name in a,"b,c"', ['a', 'b', 'b,c', null], [0, 2]],
    ['code=ab', ['ab', 'ab  ', 'abc'], [0, 1]],
    ['short=abcd', ['abc', 'abc'], []],
    ['short^=AB', ['abc', 'xab'], [0]],
    ['sys=ada', ['ada', 'adam'], [0]],
    ['one=ab', ['a', 'b'], []],
    ['one=a', ['a', 'b'], [0]],
    ['mood>sad', ['sad', 'fine', 'glad', null], [1, 2]],
    ['mood~A', ['sad', 'fine', 'glad', null], [0, 2]],
    ['mood in sad,fine', ['sad', 'fine', 'glad', null], [0, 1]],
    ['pos>=2', [1, 2, 3], [1, 2]],
    ['ratio<0.5', [0.25, 0.5, 1], [0]],
    ['ratio=NaN', [0.25, 'NaN', null], [1]],
    ['is_vip=yes', [true, false, null], [0]],
    ['is_vip!=true', [true, false, null], [1, 2]],
    ['day>=2026-02-01', ['2026-01-31', '2026-02-01'], [1]],
    ['day=2026-01-31', ['2026-01-31', '2026-02-01'], [0]],
    ['at=2026-01-31', ['2026-01-31 00:00', '2026-01-31 23:59:59.999', '2026-02-01'], [0, 1]],
    ['at!=2026-01-31', ['2026-01-31 00:00', '2026-02-01', null], [1, 2]],
    ['at=2026-01-31T12:00+02:00', ['2026-01-31 10:00', '2026-01-31 12:00'], [0]],
    ['at<2026', ['2025-12-31 23:59:59.999', '2026-01-01'], [0]],
    ['at=infinity', ['infinity', '2026-01-01'], [0]],
    ['owner~0000-4', ['00000000-0000-4000-8000-000000000000', '10000000-1000-5000-8000-000000000000'], [0]],
    ['owner=00000000000040008000000000000000', ['00000000-0000-4000-8000-000000000000'], [0]],
    ['span=[1,3]', ['[1,4)', '[1,3)'], [0]],
    ['wait>=1 hour', ['60 min', '59 min'], [0]],
    ['place~(1,', ['(1,2)', '(3,1)'], [0]],
    ['tags~b', [['a', 'b'], ['ab'], [], null], [0]],
    ['tags={a,"b c"}', [['a', 'b c'], ['a'], null], [0]],
    ['tags is empty', [['a'], [], null], [1, 2]],
    ['blob=\\xDEAD', [Buffer.from('dead', 'hex'), Buffer.from('be', 'hex')], [0]],
    [
      'payload.user.id=42',
      ['{"user": {"id": 42}}', '{"user": {"id": "42"}}', '{"user": {"id": 42.0}}', '{"user": 42}', null],
      [0, 1, 2],
    ],
    ['payload.n=042', ['{"n": 42.0}', '{"n": "42"}', '{"n": "042"}', '{"n": 420}'], [0, 2]],
    ['payload.n=-0', ['{"n": 0}', '{"n": "-0"}', '{"n": 1}'], [0, 1]],
    ['payload.n=true', ['{"n": true}', '{"n": "true"}', '{"n": 1}'], [0, 1]],
    ['payload.n=a"\\ü🧾', ['{"n": "a\\"\\\\ü🧾"}', '{"n": "a"}'], [0]],
    ['payload.n={"a": 1}', ['{"n": {"a":1}}', '{"n": "x"}'], [0]],
    ['payload.n=null', ['{"n": null}', '{"n": "null"}', '{}'], [1]],
    ['payload.n>9', ['{"n": 10}', '{"n": "10"}', '{"n": 9}', '{"n": [10]}'], [0]],
    ['payload.at>2026-01-01', ['{"at": "2026-01-02"}', '{"at": "2025-12-31"}', '{"at": 3000}'], [0]],
    ['payload.a.1=b', ['{"a": ["a", "b"]}', '{"a": {"1": "b"}}', '{"a": ["b"]}'], [0, 1]],
    ['payload.x!=1', ['{"x": 1}', '{"x": 2}', '{}', null], [1, 2, 3]],
    ['payload.x is empty', ['{"x": null}', '{"x": ""}', '{"x": []}', '{}', null, '{"x": 0}'], [0, 1, 2, 3, 4]],
    ['payload.x in 1,true', ['{"x": 1}', '{"x": true}', '{"x": "one"}'], [0, 1]],
    ['payload~ADA', ['{"name": "Ada"}', '{}', null], [0]],
    ['payload is empty', ['{}', 'null', '[]', '""', '0', null], [0, 1, 2, 3, 5]],
    ['raw.n=1', ['{"n": 1}', '{"n": 1e999999}', '{"n": 1.0}'], [0, 2]],
    ['raw.n<2', ['{"n": 1}', '{"n": 1e999999}', '{"n": "1"}'], [0]],
  ])('%s', async (text, values, expected) => {
    const column = /^\w+/.exec(text)?.[0] ?? ''
    await fill(values.map((value) => ({ [column]: value })))
    expect(await found(parseFilter(view, text))).toEqual(expected)
  })

  test('a part of a text whose collation knows no parts', async () => {
    await fill([{ 'Weird "col': 'Ada' }, { 'Weird "col': 'bob' }])
    expect(await found(parseFilter(view, '"Weird ""col"~AD'))).toEqual([0])
    expect(await found(parseFilter(view, '"Weird ""col"^=b'))).toEqual([1])
  })

  test('times that are so long from now, of columns with a zone and without one, whatever the session', async () => {
    await fill(
      [-3, -1, 1].map((hours) => ({
        run_at: sql`now() + ${hours} * interval '1 h'`,
        at: sql`now() at time zone 'UTC' + ${hours} * interval '1 h'`,
      })),
    )
    expect(await found(parseFilter(view, 'run_at>-2h'))).toEqual([1, 2])
    expect(await found(parseFilter(view, 'run_at>-2 hours'))).toEqual([1, 2])
    expect(await found(parseFilter(view, 'run_at<now'))).toEqual([0, 1])
    expect(await found(parseFilter(view, 'at>+30m'))).toEqual([2])
    await fill([{ day: sql`(now() at time zone 'UTC')::date` }, { day: sql`(now() at time zone 'UTC')::date - 8` }])
    expect(await found(parseFilter(view, 'day>-7d'))).toEqual([0])
  })

  test('what meets all filters', async () => {
    await fill([
      { name: 'ada', is_vip: true },
      { name: 'ada', is_vip: false },
    ])
    expect(await found(parseFilter(view, 'name=ada'), parseFilter(view, 'is_vip=true'))).toEqual([0])
    expect(await found()).toEqual([0, 1])
  })
})

test.each([
  [
    'span=1 to 3',
    'span: "1 to 3" is no value of type int4range (malformed range literal: "1 to 3"); give a value as Postgres writes it',
  ],
  ['wait=soon', 'wait: "soon" is no value of type interval'],
  ['tags={a', 'tags: "{a" is no value of type text[]'],
  [
    'pos=-1',
    'pos: "-1" is no value of type positive (value for domain positive violates check constraint "positive_check")',
  ],
])('%s, which only Postgres can tell to be wrong, is refused before it is asked for jobs', async (text, message) => {
  await fill([{}])
  await expect(found(parseFilter(view, text))).rejects.toMatchObject({
    code: 'FILTER',
    message: expect.stringContaining(message),
  })
  await db.transaction().execute(async (trx) => {
    await expect(proveFilters(jobsOf(trx, 'mail_jobs').db, view, [parseFilter(view, text)])).rejects.toMatchObject({
      code: 'FILTER',
    })
    await sql`select 1`.execute(trx) // which goes on
  })
})

const odd = fc.string({ unit: fc.constantFrom(...`ab%_\\'"{}[]()$.*?,:; \n\t-ÄßΣ😀0`), maxLength: 6 })
const anyText = fc.oneof(
  odd,
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => text.replaceAll('\0', '')),
)
/** As Postgres does, a character at a time. */
const lower = (text: string) =>
  [...text].map((each) => ([...each.toLowerCase()].length === 1 ? each.toLowerCase() : each)).join('')

test('any text is a value: it breaks no statement, and finds just what it says', async () => {
  const operator = fc.constantFrom('=', '!=', 'contains', 'begins with', 'one of', '<')
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyText, { minLength: 1, maxLength: 5 }),
      anyText,
      operator,
      async (others, value, operator) => {
        const names = [...others, value, `x${value}`, `${value}x`]
        await fill(names.map((name) => ({ name })))
        const meets = (name: string) => {
          if (operator === 'contains') return lower(name).includes(lower(value))
          if (operator === 'begins with') return lower(name).startsWith(lower(value))
          if (operator === '<') return Buffer.compare(Buffer.from(name), Buffer.from(value)) < 0
          return (name === value) === (operator !== '!=')
        }
        const expected = names.flatMap((name, n) => (meets(name) ? [n] : []))
        expect(await found({ column: 'name', operator, values: [value] })).toEqual(expected)
      },
    ),
    { numRuns: 200 },
  )
})

test('any text is a path within JSON: it breaks no statement, and leads where it says', async () => {
  const path = fc.array(
    anyText.filter((each) => !/^\s*[-+]?\d+\s*$/.test(each)),
    { minLength: 1, maxLength: 3 },
  )
  const nested = (keys: readonly string[], value: string): string =>
    JSON.stringify(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value))
  await fc.assert(
    fc.asyncProperty(path, path, anyText, async (keys, others, value) => {
      const texts = [
        nested(keys, value),
        nested(others, value),
        nested(keys, `${value}x`),
        nested([...keys, 'more'], value),
      ]
      await fill(texts.map((payload) => ({ payload, raw: payload })))
      const isSame = JSON.stringify(keys) === JSON.stringify(others)
      for (const column of ['payload', 'raw']) {
        expect(await found({ column, path: keys, operator: '=', values: [value] })).toEqual(isSame ? [0, 1] : [0])
      }
    }),
    { numRuns: 150 },
  )
})

test("the queue's verbs take filters as their condition, also through a user's plugins and schemas, and on the archive", async () => {
  await createJobTable(
    db,
    'mail_jobs',
    (table) => table.addColumn('tenant_id', 'integer').addColumn('Odd "c', 'jsonb'),
    { archive: {} },
  )
  const camel = db.withPlugin(new CamelCasePlugin())
  const mail = await jobView(camel, 'mailJobs')
  const where = (...texts: string[]) => ({
    where: () =>
      isMatch(
        mail,
        texts.map((text) => parseFilter(mail, text)),
      ),
  })
  const job = (tenant_id: number, place: string) => ({ tenant_id, 'Odd "c': JSON.stringify({ at: place }) })
  await db
    .insertInto('mail_jobs')
    .values([job(1, 'x'), job(1, 'y'), job(2, 'x')])
    .execute()
  expect(await rescheduleJobs(camel, 'mailJobs', where('tenantId=1'), { delay: '1h' })).toHaveLength(2)
  expect(await cancelJobs(camel, 'mailJobs', where('tenant_id=1', '"Odd ""c".at=x'))).toHaveLength(1)
  expect(await retryJobs(camel, 'mailJobs', where('status=job_status_cancelled'))).toHaveLength(1)
  await cancelJobs(camel, 'mailJobs', where('tenant_id in 1,2'), { finished: 'archive' })
  expect(await deleteJobs(camel, 'mailJobs', where('"Odd ""c".at~X'), { dryRun: true })).toBe(2)
  await orders.deleteFrom('Order Jobs').execute()
  await fill([{ name: 'ada' }, { name: 'bob' }])
  expect(
    await cancelJobs(orders, 'Order Jobs', { where: () => isMatch(view, [parseFilter(view, 'name~AD')]) }),
  ).toHaveLength(1)
})

test('a verb is about the jobs that a list is of: their states, and filters', async () => {
  await createJobTable(db, 'state_jobs', (table) => table.addColumn('n', 'integer'), { archive: {} })
  await sql`insert into state_jobs (n, status, run_at) values (1, 'job_status_failed', now()), (2, 'job_status_timed_out', now()),
    (3, 'job_status_not_started', now() - interval '1 h'), (4, 'job_status_retry', now() + interval '1 h'), (5, 'job_status_succeeded', now())`.execute(
    db,
  )
  const state = await jobView(db, 'state_jobs')
  const camel = db.withPlugin(new CamelCasePlugin())
  const matched = (states: ShownState[], ...texts: string[]) => {
    const selection = selectionOf(
      state,
      states,
      texts.map((text) => parseFilter(state, text)),
    )
    return retryJobs(camel, 'stateJobs', selection, { dryRun: true })
  }
  expect(
    await Promise.all([matched([...shownStates]), matched(['failed']), matched(['failed', 'timedOut'], 'n>1')]),
  ).toEqual([5, 1, 1])
  expect(
    await Promise.all([matched(['due']), matched(['scheduled']), matched(['retrying']), matched(['cancelled'])]),
  ).toEqual([1, 0, 1, 0]) // each is in one state
})
