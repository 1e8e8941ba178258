import { expressionBuilder, sql } from 'kysely'
import { expect, test } from 'vitest'
import { sizeOf } from '../../src/queue/row-size.js'

const eb = expressionBuilder<any, any>()
const large = 'x'.repeat(100_000)
const cyclic: Record<string, unknown> = {}
cyclic.self = cyclic

test.each<[what: string, value: unknown, least: number, most: number]>([
  ['a text', large, 100_000, 100_000],
  ['a text that is longer as UTF-8', '語'.repeat(100_000), 300_000, 300_000],
  ['bytes', Buffer.alloc(100_000), 100_000, 100_000],
  ['bytes of another view', new Float64Array(10_000), 80_000, 80_000],
  ['a list of bytes', [Buffer.alloc(50_000), Buffer.alloc(50_000)], 100_000, 101_000],
  ['an object, as JSON', { body: large, more: ['語'] }, 100_000, 101_000],
  ['a JSON text in an expression', sql`${JSON.stringify({ body: large })}::jsonb`, 100_000, 101_000],
  ['a value that is cast', eb.cast(eb.val(large), 'text'), 100_000, 101_000],
  ['values of a function', eb.fn('concat', [eb.val(large), eb.val(large)]), 200_000, 201_000],
  ['a list of values', eb(sql.ref('a'), 'in', [large, large]), 200_000, 201_000],
  ['a number', 5, 1, 10],
  ['null', null, 1, 10],
  ['a date', new Date(), 1, 30],
  ['what is no JSON: the driver says so', cyclic, 0, 10],
  ['what gives no JSON', { toJSON: () => undefined }, 0, 10],
])('%s has about the bytes that it is sent as', (_, value, least, most) => {
  const size = sizeOf({ value })
  expect(size).toBeGreaterThanOrEqual(least)
  expect(size).toBeLessThanOrEqual(most)
})
