import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { averageSize } from '../../src/worker/claim/job-size.js'
import { MemoryBudget } from '../../src/worker/claim/memory-budget.js'
import { Prefetch } from '../../src/worker/claim/prefetch.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const nothing = { running: 0, ready: 0, unwritten: 0 }
const small = Array.from({ length: 8 }, (_, n) => ({ id: `${n}`, to: 'ada' }))
const large = Array.from({ length: 8 }, () => ({ id: '1', body: 'x'.repeat(400_000) }))

/** One that has seen jobs, and handlers that take so long. */
function seasoned(options: {
  concurrency?: number
  jobs?: object[]
  takes?: number
  left?: number
  mostRows?: number
}) {
  const { concurrency = 10, jobs = small, takes = 0.1, left = 1e9, mostRows = 1e4 } = options
  const prefetch = new Prefetch(concurrency, { left, mostRows })
  for (let n = 0; n < 5; n++) prefetch.brought(jobs)
  for (let n = 0; n < 200; n++) prefetch.took(takes)
  return prefetch
}

test('the first fetch is small, those after it grow quickly, as nobody knows how large jobs are', () => {
  const prefetch = new Prefetch(100, { left: 1e9, mostRows: 1e4 })
  const rooms = Array.from({ length: 4 }, () => {
    const room = prefetch.room(nothing)
    prefetch.brought(small)
    return room
  })
  expect(rooms).toEqual([8, 64, 100, 100])
})

test('handlers that are slow get no more than there are slots; those that are quick, up to 1,000 at once', () => {
  expect(seasoned({ takes: 1000 }).room(nothing)).toBe(10)
  expect(seasoned({ takes: 1000 }).room({ ...nothing, running: 10 })).toBe(0)
  expect(seasoned({}).room(nothing)).toBe(1000)
  expect(seasoned({}).room({ ...nothing, running: 10, ready: 900 })).toBe(1000)
  expect(seasoned({}).room({ ...nothing, running: 10, ready: 1100 })).toBe(0)
})

test('a single slot whose handlers end at once has as many jobs ahead of it as many slots have', () => {
  const single = seasoned({ concurrency: 1, takes: 0 })
  expect(single.room({ ...nothing, running: 1, ready: 900 })).toBe(1000)
  expect(single.room({ ...nothing, running: 1, ready: 1100 })).toBe(0)
})

test('batches are claimed whole, and one ahead while a batch takes less time than a fetch is to bridge', () => {
  const batches = (takes: number, size = 100) => {
    const prefetch = new Prefetch(1, { left: 1e9, mostRows: 1e4 }, size)
    for (let n = 0; n < 5; n++) prefetch.brought(small)
    for (let n = 0; n < 200; n++) prefetch.took(takes)
    return prefetch
  }
  expect(batches(1000).room(nothing)).toBe(100)
  expect(batches(1000).room({ ...nothing, running: 100 })).toBe(0)
  expect(batches(40).room({ ...nothing, running: 100 })).toBe(100)
  expect(batches(40).room({ ...nothing, running: 100, ready: 30 })).toBe(0)
  expect(batches(1).room({ ...nothing, running: 100, ready: 30 })).toBe(1000)
  expect(batches(1, 300).room(nothing)).toBe(900) // of 1,000 at most
})

test('large jobs are claimed no faster than memory allows', () => {
  const prefetch = seasoned({ jobs: large, left: 4_010_000 })
  expect(prefetch.room(nothing)).toBe(10)
  expect(seasoned({ jobs: large, left: 0 }).room({ ...nothing, running: 1 })).toBe(0)
  expect(prefetch.bytesOf({ running: 1, ready: 2, unwritten: 3 })).toBeGreaterThan(6 * 400_000)
})

test('a worker that holds nothing takes one job, however large', () => {
  expect(seasoned({ jobs: large, left: -1 }).room(nothing)).toBe(1)
  expect(seasoned({ jobs: large, left: -1 }).room({ ...nothing, unwritten: 1 })).toBe(0)
})

test('jobs that turn out large count at once, small ones by and by', () => {
  const prefetch = seasoned({ left: 8_000_000, jobs: small })
  expect(prefetch.room(nothing)).toBe(1000)
  prefetch.brought(large)
  expect(prefetch.room(nothing)).toBe(19)
  prefetch.brought(small)
  expect(prefetch.room(nothing)).toBe(39)
})

test('in a process with little memory a fetch has few rows, for jobs that suddenly are large', () => {
  expect(seasoned({ mostRows: 256 }).room(nothing)).toBe(256)
})

test('what is not written counts against what is claimed ahead, and at last against all that is claimed', () => {
  const prefetch = seasoned({})
  const room = (unwritten: number) => prefetch.room({ ...nothing, unwritten })
  expect([0, 1000, 1600, 1999, 2000].map(room)).toEqual([1000, 1000, 810, 12, 0])
})

test('the budget of a process is shared by its workers', () => {
  const budget = new MemoryBudget()
  const all = budget.left
  expect(all).toBeGreaterThan(1e6)
  const leave = budget.join(() => 1000)
  budget.join(() => 500)
  expect(budget.left).toBe(all - 1500)
  leave()
  expect(budget.left).toBe(all - 500)
})

describe('the size of jobs', () => {
  test.each<[string, object, number]>([
    ['a text', { body: 'x'.repeat(100_000) }, 100_000],
    ['a buffer', { body: Buffer.alloc(100_000) }, 100_000],
    ['JSON', { body: { list: Array.from({ length: 1000 }, () => 'y'.repeat(100)) } }, 100_000],
    ['values that can not be serialized', { made: { body: 'x'.repeat(100_000), method: () => {} } }, 100_000],
    ['a circle', Object.assign(Object.create(null), { body: 'x'.repeat(100_000) }), 100_000],
  ])('%s', (_what, job, size) => {
    expect(averageSize([job]) / size).toBeCloseTo(1, 1)
  })

  test('of many jobs some are measured', () => {
    const jobs = Array.from({ length: 1000 }, (_, n) => ({ body: 'x'.repeat(n * 100) }))
    expect(averageSize(jobs) / 50_000).toBeGreaterThan(0.7)
    expect(averageSize(jobs) / 50_000).toBeLessThan(1.3)
  })
})
