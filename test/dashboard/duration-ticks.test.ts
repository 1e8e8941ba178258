import { expect, test } from 'vitest'
import { durationTicks } from '../../src/dashboard/parts/duration-ticks.js'
import { spanText } from '../../src/observe/time-text.js'

test.each([
  [0, ['0 ms', '1 ms']],
  [180, ['0 ms', '50 ms', '100 ms', '150 ms', '200 ms']],
  [200_000, ['0 ms', '1 min', '2 min', '3 min', '4 min']],
  [570_000, ['0 ms', '2 min', '4 min', '6 min', '8 min', '10 min']],
  [7_000_000, ['0 ms', '30 min', '1 h', '1 h 30 min', '2 h']],
])('the axis of a chart whose highest value is %i ms has whole units, each told once', (highest, texts) => {
  expect(durationTicks(highest).map(spanText)).toEqual(texts)
})

test('no time is too long for an axis, or has two ticks of one name', () => {
  for (let highest = 1; highest < 1e13; highest *= 1.37) {
    const ticks = durationTicks(highest)
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(highest)
    expect(new Set(ticks.map(spanText)).size).toBe(ticks.length)
  }
})
