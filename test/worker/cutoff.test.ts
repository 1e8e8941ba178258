import { expect, test } from 'vitest'
import { Cutoff } from '../../src/worker/cutoff.js'

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

test('a deadline of more than 24.8 days is not passed at once', async () => {
  const cutoff = new Cutoff()
  cutoff.within(30 * 86_400_000)
  const tick = new Promise((resolve) => setTimeout(() => resolve('not yet'), 5))
  expect(await Promise.race([cutoff.passed.then(() => 'passed'), tick])).toBe('not yet')
  cutoff.clear()
})

test('a deadline set after all is over keeps no process alive', () => {
  const before = timers()
  const cutoff = new Cutoff()
  cutoff.clear()
  cutoff.within(30_000)
  expect(timers()).toBe(before)
})
