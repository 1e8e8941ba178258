/**
 * The faults of the reliability suite, put to this package and its peers alike: node bench/reliability/main.ts
 * [--seed <number>] [--only ours,graphile,boss] [R1 R2 ...]. Prints what is done, then a table in Markdown.
 */

import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { seeded } from '../../test/chaos/random.ts'
import { startPostgres } from '../../tools/postgres/start-postgres.ts'
import { askedToStop } from './faults/asked-to-stop.ts'
import { killedProcesses } from './faults/killed-processes.ts'
import { lostNetwork } from './faults/lost-network.ts'
import { oddThrows } from './faults/odd-throws.ts'
import { poison } from './faults/poison.ts'
import { restartedServer } from './faults/restarted-server.ts'
import { stoppedClocks } from './faults/stopped-clocks.ts'
import type { Fault, Figures } from './figures.ts'
import type { PeerName } from './peer.ts'
import { peers } from './peers.ts'

const all: readonly Fault[] = [
  ...[killedProcesses, restartedServer, lostNetwork, stoppedClocks],
  ...[poison, oddThrows, askedToStop],
]
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '20261125' }, only: { type: 'string' } },
})
const chosen = all.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const names = (Object.keys(peers) as PeerName[]).filter((name) => values.only?.split(',').includes(name) ?? true)

const start = performance.now()
const load = () =>
  loadavg()
    .map((average) => average.toFixed(1))
    .join(' ')
console.log(`seed ${values.seed}, ${cpus().length} cores, Node ${process.version}, load ${load()}`)
const server = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on', max_connections: '200' } })
const witness = await startPostgres({ fsync: false, settings: { max_connections: '200' } })
const stage = { servers: { faulty: server.url, witness: witness.url }, server }
const tables: string[] = []
try {
  for (const fault of chosen) {
    console.log(`\n${fault.name}  ${fault.what}`)
    const columns: Figures[] = []
    for (const peer of names) columns.push(await playOne(fault, peer))
    tables.push(table(fault, columns))
  }
} finally {
  await Promise.all([server.stop(), witness.stop()])
}
console.log(`\ntook ${Math.round((performance.now() - start) / 1000)} s, load ${load()}\n`)
console.log(tables.join('\n\n'))
for (const name of names) console.log(`\n- ${peers[name].title}: ${peers[name].settings}.`)

async function playOne(fault: Fault, peer: PeerName): Promise<Figures> {
  const begin = performance.now()
  const elapsed = () => `${((performance.now() - begin) / 1000).toFixed(1).padStart(5)} s`
  const say = (line: string) => console.log(`  ${peers[peer].title}  ${elapsed()}  ${line}`)
  const random = seeded(Number(values.seed))
  const figures = await fault.play({ ...stage, peer, random, say }).catch((error: unknown): Figures => {
    process.exitCode = 1
    return { 'the run itself failed': error instanceof Error ? `${error.stack}` : String(error) }
  })
  for (const [what, figure] of Object.entries(figures)) say(`${what}: ${figure}`)
  return figures
}

function table({ name, what }: Fault, columns: readonly Figures[]): string {
  const rows = [...new Set(columns.flatMap((figures) => Object.keys(figures)))]
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [
    `${name}: ${what}\n`,
    line(['', ...names.map((peer) => peers[peer].title)]),
    line(['---', ...names.map(() => '---')]),
    ...rows.map((row) => line([row, ...columns.map((figures) => figures[row] ?? '')])),
  ].join('\n')
}
