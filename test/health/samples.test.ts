import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { blocksIn } from '../readme/blocks.js'

const page = 'docs/telemetry.md'
const [unit] = blocksIn('ini', page)
const [pod] = blocksIn('yaml', page)

const analyze = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'systemd-analyze'))
  .find(existsSync)
const without = analyze === undefined ? 'skipped: this machine has no systemd' : ''

test.skipIf(analyze === undefined)(`systemd accepts the unit of the documentation ${without}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-unit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'jobs.service')
  const verify = (text: string) => {
    writeFileSync(file, text.replace('/usr/bin/node', process.execPath))
    const verified = execFileSync('sh', ['-c', '"$0" verify --man=no "$1" 2>&1 || true', analyze ?? '', file])
    return verified
      .toString()
      .split('\n')
      .filter((line) => line.includes('jobs.service'))
  }
  expect(verify(unit?.text ?? '')).toEqual([])
  expect(verify((unit?.text ?? '').replace('KillMode=mixed', 'KillMode=some'))).toHaveLength(1)
})

test('a pod and a unit have longer than the deadline of a runner, and the probes ask what is answered', () => {
  const seconds = (text: string, name: string) => Number(new RegExp(`${name}[:=] ?(\\d+)`).exec(text)?.[1])
  expect(seconds(pod?.text ?? '', 'terminationGracePeriodSeconds')).toBeGreaterThan(30)
  expect(seconds(unit?.text ?? '', 'TimeoutStopSec')).toBeGreaterThan(30)
  const probes = [...(pod?.text ?? '').matchAll(/(\w+)Probe:\s+httpGet: \{ path: (\S+), port: (\d+) \}/g)]
  expect(probes.map(([, ...probe]) => probe)).toEqual([
    ['liveness', '/live', '9464'],
    ['readiness', '/ready', '9464'],
  ])
})
