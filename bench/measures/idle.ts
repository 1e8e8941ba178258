import { sleep } from '../clock.ts'
import { type ContenderName, contenders } from '../contenders/all.ts'
import { Process, type WorkReport } from '../process.ts'
import type { Server } from '../server.ts'

export interface Idleness {
  /** A minute. */
  readonly statements: number
  /** Pages touched, a minute. */
  readonly buffers: number
}

/** What so many workers of one process ask of the server while there is nothing to do, once they have started. */
export async function idle(
  server: Server,
  contender: ContenderName,
  workers: number,
  seconds: number,
): Promise<Idleness> {
  const url = await server.database(contender)
  await contenders[contender].fill(url, 0)
  const worker = await Process.prepare<WorkReport>({
    ...{ kind: 'work', contender, url, workers, concurrency: 10, handler: 'nothing', record: false },
  })
  worker.begin()
  await worker.working()
  await sleep(3_000)
  const before = await server.counters(url)
  await sleep(seconds * 1000)
  const after = await server.counters(url)
  await worker.stop()
  const perMinute = 60 / seconds
  return {
    statements: (after.statements - before.statements) * perMinute,
    buffers: (after.buffers - before.buffers) * perMinute,
  }
}
