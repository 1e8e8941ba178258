import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Outcome, runSteps } from './step.ts'
import { build, checks } from './steps.ts'
import { runVitest } from './vitest.ts'

/**
 * The whole test: build, checks, then the test files. A failure stops nothing, so that one run tells all.
 * Ends with one line `N passed, N failed`; a check counts as one test. `--checks` leaves the test files out,
 * other arguments choose among them.
 */
const filters = process.argv.slice(2).filter((argument) => argument !== '--checks')
const scratch = mkdtempSync(join(tmpdir(), 'kysely-jobs-test-'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))

const outcomes = [...(await runSteps([build], 1)), ...(await runSteps(checks(scratch), 2))]
const none = { passed: 0, failed: 0, skipped: 0 }
const tests = process.argv.includes('--checks') ? none : await runVitest(scratch, filters)

const count = (result: Outcome['result']) =>
  tests[result] + outcomes.filter((outcome) => outcome.result === result).length
const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')]
for (const { step, result } of outcomes) if (result === 'failed') console.log(`FAILED  ${step.name} (see above)`)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
