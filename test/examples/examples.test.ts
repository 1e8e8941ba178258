import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { startProgram } from '../support/program.js'

const run = (name: string) =>
  startProgram([fileURLToPath(new URL('../../examples/run.ts', import.meta.url)), name], {
    env: { DATABASE_URL: inject('serverUrl') },
  })

const lines = (text: string) => text.trimEnd().split('\n')

test('ten-lines: the job runs, and Ctrl-C ends the worker', async () => {
  const example = run('ten-lines')
  await example.said(/Welcome\n/)
  example.process.kill('SIGINT')
  const { code, stdout } = await example.ended
  expect(lines(stdout)).toEqual(['To ada@example.com: Welcome'])
  expect(code).toBe(0)
})

test('sign-up: a user and their job are there together, or neither', async () => {
  const { code, stdout } = await run('sign-up').ended
  expect(lines(stdout)).toEqual([
    'Ada signed up: users 1, jobs 1',
    'Rolled back: grace is no address',
    'Grace did not: users 1, jobs 1',
    'Mail to ada@example.com: Welcome!',
  ])
  expect(code).toBe(0)
})

test('exactly-once: money moves once, whenever the power fails', async () => {
  const { code, stdout } = await run('exactly-once').ended
  expect(lines(stdout)).toEqual([
    'Before: Ada has 100, Grace has 0',
    'Attempt 1 broke half way: Ada has 100, Grace has 0',
    'Attempt 2 went through: Ada has 70, Grace has 30',
    'The job is job_status_succeeded after 2 attempts',
  ])
  expect(code).toBe(0)
})

test('ihp-table: an IHP worker and ours share a table, and no report is rendered twice', async () => {
  const { code, stdout } = await run('ihp-table').ended
  expect(lines(stdout)).toEqual([
    '6 of 6 reports rendered, each attempt by one worker alone',
    'January: failed under IHP, run again and rendered',
  ])
  expect(code).toBe(0)
})

test('an example that is not there is answered with those that are', async () => {
  const { code, stderr } = await run('nine-lines').ended
  expect(stderr).toContain('There are ten-lines, sign-up, exactly-once, ihp-table, generate-types.')
  expect(code).toBe(1)
})
