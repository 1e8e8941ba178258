import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../readme/blocks.js'
import { compiled, mutated } from './mutant.js'
import { mutants } from './mutants.js'
import { isCaught, row, summary } from './table.js'
import { type HandlerOutcome, type Report, verdictOn } from './verdict.js'

test('each fault still fits the source: the text it replaces is there exactly once', () => {
  for (const mutant of mutants) expect(() => mutated(root, mutant)).not.toThrow()
})

test('each fault names a test that is there, says what it breaks, and has a name of its own', () => {
  const lost = mutants.filter(({ test, title }) => !readFileSync(join(root, test), 'utf8').includes(title))
  expect(lost.map(({ name, test, title }) => `${name}: ${test} has no test '${title}'`)).toEqual([])
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  expect(mutants.filter(({ breaks }) => breaks === '')).toEqual([])
})

describe('a fault whose text', () => {
  const mutant = { ...mutants[0]!, name: 'gone wrong', file: 'src/schema/shown.ts' }
  test.each([
    ['is not there any more', 'no such text', /gone wrong: in .* this is there 0 times, not once: no such text/],
    ['is there twice', 'e', /is there \d+ times, not once: e/],
  ])('%s is refused', (_what, text, message) => {
    expect(() => mutated(root, { ...mutant, text })).toThrow(message)
  })
})

test('a fault that is no code is refused, and proves nothing', () => {
  expect(compiled('export const a: number = 1', 'a.ts')).toContain('export const a = 1')
  expect(compiled('export const a = <b>1</b>', 'a.tsx')).toContain('_jsx("b"')
  expect(() => compiled('export const = 1', 'a.ts')).toThrow(SyntaxError)
})

describe('a run of tests', () => {
  const report = (...tests: [title: string, status: string, message?: string][]): Report => ({
    testResults: [
      {
        assertionResults: tests.map(([title, status, message]) => ({
          title,
          status,
          failureMessages: message === undefined ? [] : [message],
        })),
      },
    ],
  })

  test.each<[string, Report | undefined, boolean, HandlerOutcome]>([
    ['with a test that failed', report(['a', 'passed'], ['b', 'failed', 'no']), false, { kind: 'caught', by: 'b' }],
    ['that took too long', report(['a', 'failed', 'Test timed out in 9 ms.']), false, { kind: 'hung', by: 'a' }],
    ['that passed', report(['a', 'passed'], ['b', 'skipped']), true, { kind: 'survived' }],
    [
      'with an error that no test awaited',
      report(['a', 'passed']),
      false,
      { kind: 'caught', by: 'an unhandled error in: a' },
    ],
    ['without any test', report(['a', 'skipped']), true, { kind: 'void', output: 'said' }],
    ['that did not load', report(), false, { kind: 'void', output: 'said' }],
    ['that left no report', undefined, false, { kind: 'void', output: 'said' }],
  ])('%s', (_what, found, passed, verdict) => {
    expect(verdictOn(found, passed, 'said')).toEqual(verdict)
  })
})

test('what was not caught is named, with what it breaks; what hung is told apart', () => {
  const mutant = { ...mutants[0]!, name: 'no lock', breaks: 'jobs run twice', file: 'src/a.ts', test: 'test/a.test.ts' }
  const trials = [
    { mutant, verdict: { kind: 'caught', by: 'a job runs once' } },
    { mutant, verdict: { kind: 'hung', by: 'a job ends' } },
    { mutant, verdict: { kind: 'survived' } },
    { mutant, verdict: { kind: 'void', output: 'it did not load' } },
  ] as const
  expect(trials.map((trial) => row(trial, 8))).toEqual([
    'no lock   a job runs once',
    'no lock   HUNG  a job ends',
    'no lock   SURVIVED',
    'no lock   NO VERDICT',
  ])
  expect(trials.map(isCaught)).toEqual([true, true, false, false])
  expect(summary(trials)).toEqual([
    'SURVIVED  no lock (src/a.ts): jobs run twice. test/a.test.ts did not fail',
    'NO VERDICT  no lock (src/a.ts): jobs run twice. test/a.test.ts did not fail',
    'it did not load',
    '1 caught, 1 hung, 2 not caught',
  ])
})
