import { expect, test, vi } from 'vitest'
import { Bell } from '../../src/watch/bell.js'
import { after } from '../../src/watch/timer.js'

test('a ring ends the wait', async () => {
  const bell = new Bell()
  const waiting = bell.wait(Number.POSITIVE_INFINITY)
  bell.ring()
  await waiting
})

test('rings while nobody waits are remembered, once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const bell = new Bell()
    bell.ring()
    bell.ring()
    await bell.wait(1000)
    let ended = false
    const second = bell.wait(1000).then(() => {
      ended = true
    })
    await vi.advanceTimersByTimeAsync(999)
    expect(ended).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await second
  } finally {
    vi.useRealTimers()
  }
})

test('of several alarms the earliest rings', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const bell = new Bell()
    let rings = 0
    const listen = async () => {
      for (;;) {
        await bell.wait(Number.POSITIVE_INFINITY)
        rings += 1
      }
    }
    void listen()
    bell.ringIn(500)
    bell.ringIn(100)
    bell.ringIn(300)
    await vi.advanceTimersByTimeAsync(99)
    expect(rings).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(rings).toBe(1)
    await vi.advanceTimersByTimeAsync(1000)
    expect(rings).toBe(1)
  } finally {
    vi.useRealTimers()
  }
})

test('a closed bell keeps nobody waiting', async () => {
  const bell = new Bell()
  const waiting = bell.wait(Number.POSITIVE_INFINITY)
  bell.ringIn(1e9)
  bell.close()
  await waiting
  await bell.wait(Number.POSITIVE_INFINITY)
})

test('a timer may be weeks long, and is not due at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const weeks = 60 * 24 * 3600 * 1000
    const fired = vi.fn()
    after(weeks, fired)
    const cancelled = vi.fn()
    after(weeks, cancelled).cancel()
    after(Number.POSITIVE_INFINITY, cancelled)
    await vi.advanceTimersByTimeAsync(weeks - 1)
    expect(fired).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(fired).toHaveBeenCalledOnce()
    expect(cancelled).not.toHaveBeenCalled()
  } finally {
    vi.useRealTimers()
  }
})
