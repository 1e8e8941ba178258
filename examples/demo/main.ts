/**
 * npm run demo -- <folder>
 *
 * One job for each file of the folder (default: our node_modules), two worker processes, one of which is killed half
 * way; then every result is computed again. Exit code 0: all equal; 1: one differs or is missing; 130: interrupted.
 */

import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runDemo } from './demo.ts'
import { interruption } from './interruption.ts'

const [given] = process.argv.slice(2)
// npm runs scripts at the top of the project, and tells where the user is
const folder = given
  ? resolve(process.env.INIT_CWD ?? '.', given)
  : fileURLToPath(new URL('../../node_modules', import.meta.url))
const interrupted = interruption()

try {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${folder} is no folder`)
  process.exitCode = (await runDemo(folder, process.stdout, interrupted)) ? 0 : 1
} catch (error) {
  // a server that is not there is an AggregateError without a message, but with a code
  const reason = error instanceof Error ? error.message || String(Reflect.get(error, 'code')) : String(error)
  console.error(interrupted.aborted ? '\nInterrupted; nothing is left running.' : `demo: ${reason}`)
  process.exitCode = interrupted.aborted ? 130 : 1
}
