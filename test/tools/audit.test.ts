import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { skipped } from '../../tools/test/step.js'
import { root } from '../readme/blocks.js'
import { startProgram } from '../support/program.js'

const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-audit-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What the check says of a registry that answers so. */
function audited(answer: string, code: number) {
  const npm = join(folder, 'npm.cjs')
  writeFileSync(npm, `process.stdout.write(${JSON.stringify(answer)}); process.exitCode = ${code}`)
  return startProgram([join(root, 'tools/test/audit.ts'), npm]).ended
}

const report = (vulnerabilities: object) => JSON.stringify({ auditReportVersion: 2, vulnerabilities })
const fault = (severity: string) => ({ 'left-pad': { severity, range: '<=1.0.0' } })

test.each([
  ['knows of nothing', report({}), 0, ''],
  ['knows of something slight', report(fault('moderate')), 0, ''],
])('where the registry %s, the check passes', async (_, answer, code, said) => {
  expect(await audited(answer, code)).toMatchObject({ code: 0, stdout: said })
})

test.each(['high', 'critical'])('a fault of %s severity fails it, and is named', async (severity) => {
  expect(await audited(report(fault(severity)), 1)).toMatchObject({
    code: 1,
    stdout: `left-pad <=1.0.0: ${severity}\n`,
  })
})

test.each([
  ['has no audit', JSON.stringify({ message: '405 Method Not Allowed', statusCode: 405 })],
  ['does not answer', ''],
  ['answers nonsense', '<html>'],
])('where the registry %s, it is skipped, and says so', async (_, answer) => {
  expect(await audited(answer, 1)).toMatchObject({
    code: skipped,
    stdout: 'Skipped: the registry gave no answer to npm audit\n',
  })
})
