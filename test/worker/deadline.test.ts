import { expect, test } from 'vitest'
import { Deadline } from '../../src/worker/deadline.js'

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

test('a deadline of more than 24.8 days is not passed at once', async () => {
  const deadline = new Deadline()
  deadline.within(30 * 86_400_000)
  const tick = new Promise((resolve) => setTimeout(() => resolve('not yet'), 5))
  expect(await Promise.race([deadline.passed.then(() => 'passed'), tick])).toBe('not yet')
  deadline.clear()
})

test('a deadline set after all is over keeps no process alive', () => {
  const before = timers()
  const deadline = new Deadline()
  deadline.clear()
  deadline.within(30_000)
  expect(timers()).toBe(before)
})
