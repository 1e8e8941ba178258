import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { Quarantine, type QuarantineMember, waitUntil } from '../../src/worker/quarantine/quarantine.js'
import { sorted } from '../../src/worker/quarantine/sorted.js'

const jobs = (...interruptions: number[]) => interruptions.map((count, n) => ({ name: `${n}`, interruptions: count }))

test('jobs that were never interrupted are taken as they come', () => {
  const claimed = jobs(0, 0, 0)
  expect(sorted(claimed, 0)).toEqual({ first: [], others: claimed, released: [] })
})

test('jobs that were interrupted once begin at once, before all others, or are released', () => {
  const [a, b, c, d] = jobs(0, 1, 1, 0)
  expect(sorted([a, b, c, d] as ReturnType<typeof jobs>, 1)).toEqual({ first: [b], others: [a, d], released: [c] })
})

test('a job that was interrupted twice in a row is taken alone: all others are released', () => {
  const [a, b, c, d] = jobs(0, 2, 5, 1)
  expect(sorted([a, b, c, d] as ReturnType<typeof jobs>, 9)).toEqual({
    ...{ alone: b, first: [], others: [], released: [a, c, d] },
  })
})

function member(held: number) {
  return { held: () => held, release: vi.fn(), reopened: vi.fn() } satisfies QuarantineMember
}

test('while the quarantine is closed nobody may claim; who had claimed releases, and is told when it is open', () => {
  const quarantine = new Quarantine()
  const [one, other] = [member(1), member(2)]
  quarantine.join(one)
  const leave = quarantine.join(other)
  expect(quarantine.isClosed).toBe(false)
  const reopen = quarantine.close()
  expect(quarantine.isClosed).toBe(true)
  expect([one.release, other.release].map((release) => release.mock.calls.length)).toEqual([1, 1])
  expect(quarantine.isAlone).toBe(false)
  leave()
  expect(quarantine.isAlone).toBe(true)
  reopen()
  expect(quarantine.isClosed).toBe(false)
  expect([one.reopened, other.reopened].map((reopened) => reopened.mock.calls.length)).toEqual([1, 0])
})

test('waiting ends when it is so, or when the time is over', async () => {
  let isSo = false
  const waiting = waitUntil(() => isSo, 60_000)
  await nextTurn()
  isSo = true
  await waiting
  await waitUntil(() => false, 1)
})
