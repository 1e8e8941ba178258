import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ClusterOptions } from './cluster.ts'

/** A running server; `await using` stops it. */
export interface Postgres {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a real Postgres on a free port of 127.0.0.1, user `postgres`, no password. It ends with this
 * process however that ends, and its temporary folder goes with it.
 */
export async function startPostgres(options: ClusterOptions = {}): Promise<Postgres> {
  const keeper = spawn(
    process.execPath,
    [fileURLToPath(new URL('./keeper.ts', import.meta.url)), JSON.stringify(options)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true, // Ctrl-C reaches the whole group of this process: the keeper must outlive it
      windowsHide: true,
    },
  )
  const exited = once(keeper, 'exit')
  const port = await reportedPort(keeper)
  setHold(keeper, false)
  const stop = async () => {
    setHold(keeper, true)
    keeper.stdin.end()
    await exited
  }
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, port, stop, [Symbol.asyncDispose]: stop }
}

type Keeper = ChildProcessByStdio<Writable, Readable, null>

async function reportedPort(keeper: Keeper): Promise<number> {
  for await (const line of createInterface({ input: keeper.stdout })) {
    const report: { port?: number; error?: string } = JSON.parse(line)
    if (report.port !== undefined) return report.port
    throw new Error(report.error)
  }
  throw new Error('Postgres did not start: its keeper ended without a word')
}

/** A server nobody stops must not keep a finished program alive. */
function setHold(keeper: Keeper, hold: boolean): void {
  for (const handle of [keeper, keeper.stdin, keeper.stdout]) {
    const unreferable = handle as { ref?(): void; unref?(): void } // pipes to a child are sockets, untyped as such
    if (hold) unreferable.ref?.()
    else unreferable.unref?.()
  }
}
