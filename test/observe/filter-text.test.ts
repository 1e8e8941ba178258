import fc from 'fast-check'
import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { operators } from '../../src/observe/filter.js'
import { filterText, parseFilter } from '../../src/observe/filter-text.js'
import { jobView } from '../../src/observe/view.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  await sql`create type mood as enum ('sad', 'fine')`.execute(handle)
  await createJobTable(handle, 'mail_jobs', (table) =>
    table
      .addColumn('tenant_id', 'integer')
      .addColumn('name', 'text')
      .addColumn('region', 'text')
      .addColumn('mood', sql`mood`)
      .addColumn('ratio', 'real')
      .addColumn('amount', 'numeric')
      .addColumn('is_vip', 'boolean')
      .addColumn('day', 'date')
      .addColumn('owner', 'uuid')
      .addColumn('place', sql`point`)
      .addColumn('tags', sql`text[]`)
      .addColumn('blob', 'bytea')
      .addColumn('payload', 'jsonb')
      .addColumn('Weird "col', 'text'),
  )
})
const view = await jobView(db, 'mail_jobs')

describe('a filter is read from a text', () => {
  test.each([
    ['tenant_id=7', { column: 'tenant_id', operator: '=', values: ['7'] }],
    ['tenantId != 7', { column: 'tenant_id', operator: '!=', values: ['7'] }],
    ['created_at>=2026-01-01', { column: 'created_at', operator: '>=', values: ['2026-01-01'] }],
    ['created_at>-2h', { column: 'created_at', operator: '>', values: ['-2h'] }],
    ['payload.user.id=42', { column: 'payload', path: ['user', 'id'], operator: '=', values: ['42'] }],
    ['payload."a.b ""c"<=x', { column: 'payload', path: ['a.b "c'], operator: '<=', values: ['x'] }],
    ['name~ada', { column: 'name', operator: 'contains', values: ['ada'] }],
    ['name^=ada', { column: 'name', operator: 'begins with', values: ['ada'] }],
    ['name=a=b>c', { column: 'name', operator: '=', values: ['a=b>c'] }],
    ['name="  spaced "', { column: 'name', operator: '=', values: ['  spaced '] }],
    ['name=', { column: 'name', operator: '=', values: [''] }],
    ['region in eu,us', { column: 'region', operator: 'one of', values: ['eu', 'us'] }],
    ['region in "a,b", "c ""d" ,e', { column: 'region', operator: 'one of', values: ['a,b', 'c "d', 'e'] }],
    ['name is empty', { column: 'name', operator: 'is empty', values: [] }],
    ['name IS  NOT EMPTY', { column: 'name', operator: 'is not empty', values: [] }],
    ['"Weird ""col"~x', { column: 'Weird "col', operator: 'contains', values: ['x'] }],
  ])('%s', (text, filter) => {
    expect(parseFilter(view, text)).toEqual(filter)
  })

  test('and what is written of a filter is read as that filter', () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replaceAll('\0', '').toWellFormed())
    const filters = fc.oneof(
      fc.record({
        column: fc.constantFrom('name', 'Weird "col'),
        operator: fc.constantFrom(...operators.filter((each) => !each.startsWith('is') && each !== 'one of')),
        values: fc.tuple(word),
      }),
      fc.record({
        column: fc.constant('name'),
        operator: fc.constantFrom('is empty', 'is not empty'),
        values: fc.constant([]),
      }),
      fc.record({
        column: fc.constant('region'),
        operator: fc.constant('one of'),
        values: fc.array(word, { minLength: 1 }),
      }),
      fc.record({
        column: fc.constant('payload'),
        path: fc.array(word, { minLength: 1 }),
        operator: fc.constantFrom(...operators.filter((each) => !each.startsWith('is') && each !== 'one of')),
        values: fc.tuple(word),
      }),
    )
    fc.assert(
      fc.property(filters, (filter) => {
        expect(parseFilter(view, filterText(filter as never))).toEqual(filter)
      }),
    )
  })

  test('whatever is given is a filter, or refused as none', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', 'name', 'payload.', 'tenant_id', 'created_at'),
        (text, head) => {
          try {
            parseFilter(view, head + text)
          } catch (error) {
            expect(error).toMatchObject({ code: 'FILTER' })
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})

test.each([
  ['', 'is no filter; write a column, an operator and a value'],
  ['name', 'is no filter'],
  ['name ada', 'is no filter'],
  ['name is emptyish', 'is no filter'],
  ['region in a"b', 'is no filter'],
  ['nmae=ada', 'There is no column nmae; did you mean name?'],
  ['wholly_else=1', 'There is no column wholly_else; there are id, created_at, '],
  [
    'tenant_id=seven',
    'tenant_id: "seven" is no value of type integer; give a whole number from -2147483648 to 2147483647',
  ],
  ['tenant_id=7.5', 'give a whole number'],
  ['tenant_id=2147483648', 'give a whole number from -2147483648 to 2147483647'],
  ['ratio=1e39', 'ratio: "1e39" is no value of type real; give a number'],
  ['ratio=1e-60', 'give a number'],
  ['amount=0x1f', 'give a number'],
  ['is_vip=maybe', 'is_vip: "maybe" is no value of type boolean; give true or false'],
  ['mood=glad', 'mood: "glad" is no value of type mood; give one of sad, fine'],
  [
    'created_at>someday',
    'created_at: "someday" is no value of type timestamp with time zone; give a date (2026-01-31)',
  ],
  ['created_at=2026-02-30', 'is no value of type timestamp with time zone'],
  ['created_at=2026-02-03T12:61', 'is no value of type timestamp with time zone'],
  ['created_at>-9999999d', 'is no value of type timestamp with time zone'],
  ['day=1/2/2026', 'day: "1/2/2026" is no value of type date'],
  ['owner=1234', 'owner: "1234" is no value of type uuid; give all of its 32 digits, or look for a part of it: ~'],
  ['owner in 1234', 'is no value of type uuid'],
  ['blob=abc', 'give \\x and two hexadecimal digits a byte'],
  [
    'created_at~2026',
    "created_at: 'contains' can't be said of a column of type timestamp with time zone, but =, !=, <",
  ],
  [
    'place=(1,2)',
    "place: '=' can't be said of a column of type point, but contains, begins with, is empty, is not empty",
  ],
  [
    'payload=42',
    "'=' can't be said of a column of type jsonb, but contains, begins with, is empty, is not empty; within it all can be said: payload.key=...",
  ],
  ['name.first=ada', 'name.first: name is of type text, which has nothing within it: give name alone'],
  ['name=a\0b', 'name: the value has a character that no text in Postgres can have'],
  ['name=a\ud800b', 'the value has a character that no text in Postgres can have'],
  [`region in ${Array.from({ length: 501 }, (_, n) => n).join(',')}`, 'a filter has at most 500 values'],
])('%j is refused, with the remedy', (text, message) => {
  expect(() => parseFilter(view, text)).toThrow(
    expect.objectContaining({ code: 'FILTER', message: expect.stringContaining(message) }),
  )
})
