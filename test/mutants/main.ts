/**
 * Does the suite bite? node test/mutants/main.ts [<part of a name> ...].
 * Puts small faults into a copy of the source, one at a time; a test must fail for each. Prints a table; ends with 1
 * where a fault survived, and names it.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../../tools/postgres/start-postgres.ts'
import { type Lane, makeLane } from './lane.ts'
import { compiled, mutated } from './mutant.ts'
import { mutants } from './mutants.ts'
import { isCaught, row, summary, type Trial } from './table.ts'
import { tryTests } from './trial.ts'

/** Milliseconds: all tests side by side take their time. */
const ofAll = { test: 60_000, run: 400_000 }

const parts = process.argv.slice(2)
const chosen = parts.length === 0 ? mutants : mutants.filter(({ name }) => parts.some((part) => name.includes(part)))
if (chosen.length === 0) {
  console.error(`${parts.join(', ')}: no fault has such a name`)
  process.exit(2)
}
const project = fileURLToPath(new URL('../..', import.meta.url))
for (const mutant of chosen) compiled(mutated(project, mutant), mutant.file) // before anything is begun
const scratch = mkdtempSync(join(tmpdir(), 'kysely-jobs-mutants-'))
const server = await startPostgres({ fsync: false, settings: { max_connections: '200' } })
const start = performance.now()
try {
  const lanes = ['first', 'second'].map((name) => makeLane(project, join(scratch, name)))
  process.exitCode = (await prove(lanes[0] as Lane)) && (await tryAll(lanes)) ? 0 : 1
} finally {
  await server.stop()
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
}

/** Whether the tests pass as long as there is no fault. */
async function prove({ folder }: Lane): Promise<boolean> {
  const verdict = await tryTests(folder, chosen, server.url, ofAll)
  if (verdict.kind === 'survived') return true
  console.log(`Void: without any fault the tests do not pass: ${'by' in verdict ? verdict.by : verdict.output}`)
  return false
}

/** Whether every fault is caught. */
async function tryAll(lanes: readonly Lane[]): Promise<boolean> {
  const proven = seconds(start)
  console.log(`${chosen.length} faults; without any, the tests that must catch them pass (${proven.trim()})\n`)
  const width = Math.max(...chosen.map(({ name }) => name.length))
  const waiting = [...chosen]
  const trials: Trial[] = []
  const work = async (lane: Lane) => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const since = performance.now()
      const expected = [mutant]
      const verdict = await lane.withMutant(mutant, () => tryTests(lane.folder, expected, server.url))
      trials.push({ mutant, verdict })
      console.log(`${seconds(since)}  ${row({ mutant, verdict }, width)}`)
    }
  }
  await Promise.all(lanes.map(work))
  console.log(`\n${summary(trials).join('\n')} (${seconds(start).trim()})`)
  return trials.every(isCaught)
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1).padStart(5)} s`
}
