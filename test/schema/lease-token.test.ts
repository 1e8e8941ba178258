import { expect, test } from 'vitest'
import { interruptionsOf, newWorkerId, tokensOf, workerOf } from '../../src/schema/lease-token.js'

const someone = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'
const minute = newWorkerId(60_000)

test("a worker's id is a uuid of version 8 that begins with its lease in milliseconds, and no two are the same", () => {
  expect(minute).toMatch(/^0000ea60-6b6a-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{11}0$/)
  expect(newWorkerId(86_400_000)).toMatch(/^05265c00-/)
  expect(newWorkerId(1000.5)).toMatch(/^000003e9-/) // never shorter than the worker's own
  expect(new Set(Array.from({ length: 1000 }, () => newWorkerId(1000))).size).toBe(1000)
})

test('a worker of ours is known by eleven values, whichever of them is shown; any other by its own alone', () => {
  expect(tokensOf(minute)).toHaveLength(11)
  for (const token of tokensOf(minute)) {
    expect(tokensOf(token)).toEqual(tokensOf(minute))
    expect(workerOf(token)).toBe(minute)
  }
  for (const other of [someone, '', `${minute}0`, minute.toUpperCase(), `${minute.slice(0, -1)}g`]) {
    expect(tokensOf(other)).toEqual([other])
    expect(workerOf(other)).toBe(other)
  }
})

test('the last digit tells how a claim came', () => {
  expect(tokensOf(minute).map(interruptionsOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
  expect(tokensOf(minute).at(-1)).toBe(`${minute.slice(0, -1)}f`) // claimed ahead of free slots
  for (const strange of [someone.replace(/.$/, '5'), null, undefined, 5, 'x5', `${minute}5`]) {
    expect(interruptionsOf(strange)).toBe(0)
  }
})
