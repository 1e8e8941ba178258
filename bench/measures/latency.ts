import { sleep } from '../clock.ts'
import type { ContenderName } from '../contenders/all.ts'
import { contenders } from '../contenders/all.ts'
import { type EnqueueReport, Process, type WorkReport } from '../process.ts'
import type { Server } from '../server.ts'
import { quantile } from '../statistics.ts'

export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Jobs a second that the enqueuer really reached. */
  readonly rate: number
  /** Of each job. */
  readonly waits: readonly number[]
}

/** Milliseconds from the answer to the enqueuer's commit to the handler's first line, each in a process of its own. */
export async function latency(server: Server, contender: ContenderName, rate: number, jobs: number): Promise<Latency> {
  const url = await server.database(contender)
  await contenders[contender].fill(url, 0)
  await server.quiet(url)
  const [worker, enqueuer] = await Promise.all([
    Process.prepare<WorkReport>({
      ...{ kind: 'work', contender, url, workers: 1, concurrency: 10, handler: 'nothing', record: true },
    }),
    Process.prepare<EnqueueReport>({ kind: 'pace', contender, url, rate, jobs }),
  ])
  worker.begin()
  await worker.working()
  await sleep(500) // it has looked for jobs, and listens
  enqueuer.begin()
  const { commits, elapsed } = await enqueuer.report()
  await server.finished(contender)
  const { starts } = await worker.stop()
  const began = new Map(starts)
  const waits = commits.map(([n, at]) => (began.get(n) ?? Number.NaN) - at)
  return {
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
    max: Math.max(...waits),
    rate: commits.length / (elapsed / 1000),
    waits,
  }
}
