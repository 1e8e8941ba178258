import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type HandlerOutcome, type Report, verdictOn } from './verdict.ts'

/** A test, by its file and the beginning of its title. */
export interface Chosen {
  readonly test: string
  readonly title: string
}

/** How long (milliseconds) one test may take, and a whole run. */
export interface Limits {
  readonly test: number
  readonly run: number
}

/** Some faults make whoever waits for their effect wait for ever. */
const ofOne: Limits = { test: 10_000, run: 120_000 }

/** Runs these tests in a copy of the project, up to the first that fails. */
export async function tryTests(
  folder: string,
  chosen: readonly Chosen[],
  serverUrl: string,
  limits = ofOne,
): Promise<HandlerOutcome> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const files = new Set(chosen.map(({ test }) => test))
  const titles = chosen.map(({ title }) => title.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const vitest = spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', ...files, '-t', titles.join('|'), '--bail=1'],
      ...[`--testTimeout=${limits.test}`, `--hookTimeout=${limits.test}`],
      ...['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`],
    ],
    {
      cwd: folder,
      env: { ...process.env, TEST_DATABASE_URL: serverUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limits.run,
      killSignal: 'SIGKILL',
    },
  )
  let output = ''
  for (const stream of [vitest.stdout, vitest.stderr]) stream.on('data', (text) => (output += text))
  await once(vitest, 'close')
  if (vitest.signalCode === 'SIGKILL') return { kind: 'hung', by: 'the whole run' }
  const found: Report | undefined = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined
  return verdictOn(found, vitest.exitCode === 0, output)
}
