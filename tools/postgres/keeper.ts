import { createInterface } from 'node:readline'
import { type Halt, startCluster } from './cluster.ts'

/** What the parent may ask for, a line each; answered by a line, `{}` or `{ error }`. */
export type KeeperRequest = { readonly halt: Halt } | 'resume'

/**
 * A process of its own that owns the server: it ends it when its standard input ends, which the system sees
 * to whatever becomes of the parent (also SIGKILL). First line out: `{ port }`, or `{ error }`.
 */
const requests = createInterface({ input: process.stdin })[Symbol.asyncIterator]() // lines are kept from here on
process.stdout.on('error', () => {}) // the parent may be gone already
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {}) // they mean the parent

try {
  const cluster = await startCluster(JSON.parse(process.argv[2] ?? '{}'))
  answer({ port: cluster.port })
  for await (const line of requests) {
    const request: KeeperRequest = JSON.parse(line)
    const done = request === 'resume' ? cluster.resume() : cluster.halt(request.halt)
    await done.then(() => answer({}), fail)
  }
  process.stdin.destroy()
  await cluster.stop()
} catch (error) {
  fail(error)
  process.exitCode = 1
  process.stdin.destroy()
}

function answer(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function fail(error: unknown): void {
  answer({ error: error instanceof Error ? error.message : String(error) })
}
