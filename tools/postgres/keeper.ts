import { startCluster } from './cluster.ts'

/**
 * A process of its own that owns the server: it ends it when its standard input ends, which the system sees
 * to whatever becomes of the parent (also SIGKILL). First line out: `{ port }`, or `{ error }`.
 */
const parentGone = new Promise((resolve) => process.stdin.once('close', resolve).resume())
process.stdin.once('end', () => process.stdin.destroy())
process.stdout.on('error', () => {}) // the parent may be gone already
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {}) // they mean the parent

try {
  const cluster = await startCluster(JSON.parse(process.argv[2] ?? '{}'))
  process.stdout.write(`${JSON.stringify({ port: cluster.port })}\n`)
  await parentGone
  await cluster.stop()
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`)
  process.exitCode = 1
}
