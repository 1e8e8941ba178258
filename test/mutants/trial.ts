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

/** How long (milliseconds) one test may take, and a whole run: some faults make whoever waits for their effect wait for ever. */
const testLimit = 10_000
const runLimit = 120_000

/** Runs these tests in a copy of the project, up to the first that fails. */
export async function tryTests(folder: string, chosen: readonly Chosen[], serverUrl: string): Promise<HandlerOutcome> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const files = new Set(chosen.map(({ test }) => test))
  const titles = chosen.map(({ title }) => title.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const limits = [`--testTimeout=${testLimit}`, `--hookTimeout=${testLimit}`]
  const vitest = spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', ...files, '-t', titles.join('|'), '--bail=1', ...limits],
      ...['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`],
    ],
    {
      cwd: folder,
      env: { ...process.env, TEST_DATABASE_URL: serverUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: runLimit,
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
