import { describe, expect, test } from 'vitest'
import {
  countOf,
  type Histogram,
  HistogramCount,
  histogramBounds,
  histogramOf,
  histogramSince,
  quantile,
} from '../../src/records/histogram.js'
import { seeded } from '../chaos/random.js'

function histogram(durations: readonly number[]): Histogram {
  const count = new HistogramCount()
  for (const duration of durations) count.add(duration)
  return count.histogram
}

const day = 86_400_000

test('the bounds go from a millisecond to a day, each the square root of two times the one before', () => {
  expect(histogramBounds[0]).toBe(1)
  expect(histogramBounds.at(-1)).toBeGreaterThan(day)
  expect(histogramBounds.at(-2)).toBeLessThan(day)
  for (const [place, bound] of histogramBounds.slice(1).entries())
    expect(bound / histogramBounds[place]!).toBeCloseTo(Math.SQRT2, 10)
})

test('a duration is counted where it is at most the bound, and above the one before', () => {
  for (const [place, bound] of histogramBounds.entries()) {
    expect(histogram([bound * 0.999_999]).counts[place]).toBe(1)
    expect(histogram([bound * 1.000_001]).counts[place + 1]).toBe(1)
  }
  for (const bound of [1, 2, 4, 8, 1024, 2 ** 20]) expect(histogram([bound]).counts[2 * Math.log2(bound)]).toBe(1)
  expect(histogram([0]).counts[0]).toBe(1)
  expect(histogram([100 * day]).counts.at(-1)).toBe(1)
})

const shapes: Record<string, (random: number) => number> = {
  'all alike up to a second': (random) => random * 1000,
  'exponential, of 50 ms': (random) => -50 * Math.log(1 - random),
  'of a long tail': (random) => 20 / (1 - random) ** 1.5,
}

describe.each(Object.entries(shapes))('of durations that are %s', (_, shape) => {
  const random = seeded(7)
  const durations = Array.from({ length: 20_000 }, () => shape(random.between(0, 1))).toSorted((a, b) => a - b)

  test.each([0.5, 0.95, 0.99])('the quantile at %d is off by less than 7 percent', (share) => {
    const exact = durations[Math.ceil(share * durations.length) - 1]!
    expect(Math.abs(quantile(histogram(durations), share)! / exact - 1)).toBeLessThan(0.07)
  })
})

test('however durations lie, a quantile is off by a factor of 1.42 at most', () => {
  for (const duration of [1.01, 1.4, 3, 17, 999, 45_255, 3_600_000]) {
    for (const share of [0.01, 0.5, 0.99]) {
      const found = quantile(histogram([duration, duration, duration]), share)!
      expect(found / duration).toBeGreaterThan(1 / 1.42)
      expect(found / duration).toBeLessThan(1.42)
    }
  }
})

test('of no durations there is no quantile, and beyond all bounds it is the last', () => {
  expect(quantile(histogram([]), 0.5)).toBeUndefined()
  expect(quantile({ counts: [], sum: 0 }, 0.99)).toBeUndefined()
  expect(quantile(histogram([30 * day]), 0.5)).toBe(histogramBounds.at(-1))
})

test('what came since an earlier time, and several together, add up', () => {
  const [first, later] = [
    [3, 40],
    [500, 0.2, 40],
  ] as const
  const [before, now] = [histogram(first), histogram([...first, ...later])]
  const since = histogramSince(now, before)
  expect(since).toEqual(histogramOf([histogram(later)]))
  expect(countOf(since)).toBe(3)
  const together = histogramOf([before, since])
  expect(together.sum).toBeCloseTo(583.2)
  expect(together.counts).toEqual(histogramOf([now]).counts)
})
