import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { NoticeLimit } from '../../src/watch/notice-limit.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** Looks that find nothing, at once, until a notice has to wait. */
function exhausted(limit: NoticeLimit): number {
  let looks = 0
  for (; limit.wait === 0; looks++) limit.looked(false)
  return looks
}

test('notices are answered at once while few of them lead to nothing', () => {
  const limit = new NoticeLimit()
  for (let n = 0; n < 1000; n++) {
    expect(limit.wait).toBe(0)
    limit.looked(false)
    vi.advanceTimersByTime(1000)
  }
})

test('of a flood of notices that lead to nothing twenty are answered at once, then one a second', () => {
  const limit = new NoticeLimit()
  expect(exhausted(limit)).toBe(20)
  expect(limit.wait).toBeCloseTo(1000)
  vi.advanceTimersByTime(400)
  expect(limit.wait).toBeCloseTo(600)
  vi.advanceTimersByTime(600)
  expect(exhausted(limit)).toBe(1)
})

test('a look that finds something makes up for all that found nothing', () => {
  const limit = new NoticeLimit()
  exhausted(limit)
  limit.looked(true)
  expect(exhausted(limit)).toBe(20)
})

test('looks for other reasons never make notices wait for longer than a second', () => {
  const limit = new NoticeLimit()
  for (let n = 0; n < 1000; n++) limit.looked(false)
  expect(limit.wait).toBeLessThanOrEqual(1000)
})
