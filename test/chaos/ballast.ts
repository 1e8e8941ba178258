import { setTimeout as sleep } from 'node:timers/promises'

/** What a process holds. */
export interface Ballast {
  readonly timers: number
  readonly connections: number
  readonly listeners: number
  /** Bytes of the heap that are in use after a collection. */
  readonly heap: number
}

/** What this process holds now; collects garbage where it may (`--expose-gc`). */
export function ballast(): Ballast {
  globalThis.gc?.()
  const resources = process.getActiveResourcesInfo()
  const count = (name: string) => resources.filter((resource) => resource === name).length
  const signals = ['SIGTERM', 'SIGINT', 'uncaughtException', 'unhandledRejection', 'exit']
  return {
    timers: count('Timeout'),
    connections: count('TCPSocketWrap') + count('TCPServerWrap'),
    listeners: signals.reduce((sum, name) => sum + process.listenerCount(name), 0),
    heap: process.memoryUsage().heapUsed,
  }
}

/** The same, once who says goodbye has gone: a pool does not wait for the server's answer, nor for long a worker for its listener's. */
export async function ballastAtRest(before: Ballast): Promise<Ballast> {
  const isAtRest = ({ connections, timers }: Ballast) => connections === 0 && timers <= before.timers
  for (let looks = 0; looks < 20 && !isAtRest(ballast()); looks++) await sleep(50)
  return ballast()
}

/** A heap grows a little by code that ran for the first time. */
const heapGrowth = 20 * 2 ** 20

/** What a process still holds that it did not hold before. */
export function leftOver(before: Ballast, after: Ballast): string[] {
  const left = (['timers', 'connections', 'listeners'] as const)
    .filter((kind) => after[kind] > before[kind])
    .map((kind) => `${after[kind] - before[kind]} ${kind}`)
  const grown = after.heap - before.heap
  return grown > heapGrowth ? [...left, `${Math.round(grown / 2 ** 20)} MB of heap`] : left
}
