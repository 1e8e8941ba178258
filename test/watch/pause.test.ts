import { expect, onTestFinished, test, vi } from 'vitest'
import { Pause } from '../../src/watch/pause.js'

/** The waits after so many failures in a row. */
function waits(error: unknown): number[] {
  const pause = new Pause()
  return Array.from({ length: 12 }, () => pause.next(error))
}

test('the wait between tries grows up to some seconds', () => {
  const [first, ...later] = waits(new Error('permission denied'))
  expect(first).toBeLessThan(100)
  expect(Math.max(...later)).toBeGreaterThan(3_000)
})

test.each([
  ['refuses connections', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
  ['is shutting down', Object.assign(new Error('terminating connection'), { code: '57P01' })],
  ['is starting up', Object.assign(new Error('the database system is starting up'), { code: '57P03' })],
  [
    'is a standby that waits for its promotion',
    Object.assign(new Error('cannot execute UPDATE in a read-only transaction'), { code: '25006' }),
  ],
  ['hung up', new Error('Connection terminated unexpectedly')],
  ['gave the way to another', Object.assign(new Error('could not serialize access'), { code: '40001' })],
  ['was not asked for want of a connection', Object.assign(new Error('No connection'), { code: 'NO_CONNECTION' })],
  ['did not answer', Object.assign(new Error('No answer to fetch within 20000 ms'), { code: 'DEADLINE' })],
])('a server that %s is asked again soon, however long it takes', (_how, error) => {
  expect(Math.max(...waits(error))).toBeLessThanOrEqual(500)
})

test('a try that took long was wait enough: the next follows at once; one that fails at once waits', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const unanswered = Object.assign(new Error('No answer to fetch within 667 ms'), { code: 'DEADLINE' })
  const pause = new Pause()
  pause.reset()
  for (let n = 0; n < 5; n++) {
    vi.advanceTimersByTime(667)
    expect(pause.next(unanswered)).toBe(0)
  }
  expect(pause.next(unanswered)).toBeGreaterThan(200)
  pause.reset()
  expect(pause.next(unanswered)).toBeGreaterThan(30)
})
