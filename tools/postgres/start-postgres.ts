import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ClusterOptions, Halt } from './cluster.ts'
import type { KeeperRequest } from './keeper.ts'

/** A running server; `await using` stops it. */
export interface Postgres {
  readonly url: string
  readonly port: number
  /** Takes it down for a while, as an operator or an accident does. */
  halt(way: Halt): Promise<void>
  /** Brings it back: same data, same port. */
  resume(): Promise<void>
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
  const answers = createInterface({ input: keeper.stdout })[Symbol.asyncIterator]()
  const { port } = await nextAnswer(answers)
  setHold(keeper, false)
  const ask = async (request: KeeperRequest) => {
    setHold(keeper, true)
    keeper.stdin.write(`${JSON.stringify(request)}\n`)
    await nextAnswer(answers).finally(() => setHold(keeper, false))
  }
  const stop = async () => {
    setHold(keeper, true)
    keeper.stdin.end()
    await exited
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    halt: (way) => ask({ halt: way }),
    resume: () => ask('resume'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

type Keeper = ChildProcessByStdio<Writable, Readable, null>

/** @throws what the keeper could not do */
async function nextAnswer(answers: AsyncIterator<string>): Promise<{ readonly port: number }> {
  const { value, done } = await answers.next()
  if (done) throw new Error('The keeper of Postgres ended without a word')
  const answer: { port: number; error?: string } = JSON.parse(value)
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer
}

/** A server nobody stops must not keep a finished program alive. */
function setHold(keeper: Keeper, hold: boolean): void {
  for (const handle of [keeper, keeper.stdin, keeper.stdout]) {
    const unreferable = handle as { ref?(): void; unref?(): void } // pipes to a child are sockets, untyped as such
    if (hold) unreferable.ref?.()
    else unreferable.unref?.()
  }
}
