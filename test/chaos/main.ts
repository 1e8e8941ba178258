/**
 * The reliability suite: node test/chaos/main.ts [--long] [--seed <number>] [--hold] [--batch] [R1 R2 ...].
 * With --hold the workers hold their jobs by transactions, in place of leases; with --batch they handle batches, in a
 * transaction each.
 * Prints the schedule, then a table; ends with 1 where a promise was not held.
 */

import { parseArgs } from 'node:util'
import { startPostgres } from '../../tools/postgres/start-postgres.ts'
import { removeWorkerProgram } from './bundle.ts'
import { playAll } from './play.ts'
import { scenarios } from './scenarios.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: 'boolean', default: false },
    seed: { type: 'string' },
    hold: { type: 'boolean', default: false },
    batch: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter((name) => scenarios.every((scenario) => scenario.name !== name))
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: no such scenario; there are ${scenarios.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const chosen = positionals.length === 0 ? scenarios : scenarios.filter(({ name }) => positionals.includes(name))
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
// What a client was told is committed must outlive a crash of the server, though not one of the machine.
const server = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on', max_connections: '200' } })
const witness = await startPostgres({ fsync: false, settings: { max_connections: '200' } })
const setting = {
  servers: { faulty: server.url, witness: witness.url, holds: values.hold, batches: values.batch },
  server,
  seed,
}
try {
  const held = await playAll(chosen, { ...setting, form: values.long ? 'long' : 'short' })
  process.exitCode = held ? 0 : 1
} finally {
  await Promise.all([server.stop(), witness.stop()])
  removeWorkerProgram()
}
