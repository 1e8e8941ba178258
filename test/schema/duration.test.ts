import fc from 'fast-check'
import { type Duration, DurationError } from 'kysely-jobs'
import { expect, test } from 'vitest'
import { milliseconds } from '../../src/schema/duration.js'

test.each([
  [0, 0],
  [1500, 1500],
  [0.5, 0.5],
  ['250ms', 250],
  ['30s', 30_000],
  ['30 s', 30_000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['1000000d', 8.64e13],
] satisfies [Duration, number][])('%j are %d milliseconds', (duration, expected) => {
  expect(milliseconds(duration, 'timeout')).toBe(expected)
})

test.each([
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [8.64e13 + 1000, '86400000001000'],
  ['1000001d', '"1000001d"'],
  ['', '""'],
  ['30', '"30"'],
  ['-30s', '"-30s"'],
  ['30S', '"30S"'],
  ['30  s', '"30  s"'],
  ['1e3s', '"1e3s"'],
  ['.5s', '".5s"'],
  ['PT30S', '"PT30S"'],
  ['30s\n', '"30s\\n"'],
  [null, 'null'],
  [undefined, 'undefined'],
  [true, 'true'],
  [Symbol('s'), 'Symbol(s)'],
  [[5], 'an array'],
  [Object.create(null), 'an object'],
  [() => 5, 'a function'],
])('%s is none, and the error says what it is for, what it was and what to give', (wrong, shown) => {
  expect(() => milliseconds(wrong as Duration, 'timeout')).toThrow(
    expect.objectContaining({
      code: 'INVALID_DURATION',
      message: `timeout: ${shown} is not a duration; give milliseconds (30000) or a number with ms, s, m, h or d ('30s')`,
    }),
  )
})

test('garbage is refused, and what is taken is a number that Postgres and timers can work with: property', () => {
  const texts = fc.string({ unit: fc.constantFrom(...'0123456789.-+eE msmhd\n'), maxLength: 20 })
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withNullPrototype: true }), texts, fc.double()), (value) => {
      try {
        const taken = milliseconds(value as Duration, 'delay')
        expect(taken).toBeGreaterThanOrEqual(0)
        expect(taken).toBeLessThanOrEqual(8.64e13)
      } catch (error) {
        expect(error).toBeInstanceOf(DurationError)
      }
    }),
    { numRuns: 1000 },
  )
})

test('a number with a unit is that number of units: property', () => {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (amount, unit) => {
      expect(milliseconds(`${amount}${unit}`, 'delay')).toBe(amount * units[unit])
    }),
  )
})
