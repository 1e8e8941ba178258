import { now } from '../clock.ts'
import { type ContenderName, contenders } from '../contenders/all.ts'
import type { HandlerName } from '../handlers.ts'
import { Process, type WorkReport } from '../process.ts'
import { type Server, withClient } from '../server.ts'

export interface DrainPlan {
  readonly contender: ContenderName
  readonly jobs: number
  readonly concurrency: number
  readonly processes: number
  readonly handler?: HandlerName
  /** A transaction that holds back vacuum is open all the while. */
  readonly heldSnapshot?: boolean
}

/** What a drain took, for each job where nothing else is said. */
export interface Drained {
  /** Jobs a second, from half of the jobs on, when processes are warm, to the last outcome's commit. */
  readonly rate: number
  readonly statements: number
  readonly buffers: number
  readonly wal: number
  /** Microseconds of CPU: the workers', and the server's. */
  readonly cpu: number
  readonly serverCpu: number
  /** MB, of the largest process. */
  readonly memory: number
}

/** Fills a contender's table and lets it run empty. */
export async function drain(server: Server, plan: DrainPlan): Promise<Drained> {
  const { contender, jobs, concurrency, processes, handler = 'nothing', heldSnapshot = false } = plan
  const url = await server.database(contender)
  await contenders[contender].fill(url, jobs)
  await server.quiet(url)
  const assignment = { kind: 'work', contender, url, workers: 1, concurrency, handler, record: false } as const
  const workers = await Promise.all(Array.from({ length: processes }, () => Process.prepare<WorkReport>(assignment)))
  const release = heldSnapshot ? await holdSnapshot(url) : undefined
  for (const worker of workers) worker.begin()
  const handled = async (count: number) => {
    while (workers.reduce((sum, worker) => sum + worker.handled, 0) < count)
      await Promise.race(workers.map((worker) => worker.news()))
  }
  await handled(jobs / 2) // until then much of the time is that of compiling
  for (const worker of workers) worker.warm()
  const before = await server.counters(url)
  await handled(jobs)
  await server.finished(contender)
  const end = now()
  const after = await server.counters(url)
  await release?.()
  const reports = await Promise.all(workers.map((worker) => worker.stop()))
  const start = Math.max(...reports.map(({ since }) => since))
  const measured = jobs - reports.reduce((sum, report) => sum + report.before, 0)
  return {
    rate: measured / ((end - start) / 1000),
    statements: (after.statements - before.statements) / measured,
    buffers: (after.buffers - before.buffers) / measured,
    wal: (after.wal - before.wal) / measured,
    serverCpu: (after.cpu - before.cpu) / measured,
    cpu: reports.reduce((sum, { cpu }) => sum + cpu, 0) / measured,
    memory: Math.max(...reports.map(({ memory }) => memory)) / 1024,
  }
}

/** Opens a transaction that needs to see everything as it is now. */
async function holdSnapshot(url: string): Promise<() => Promise<void>> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = withClient(url, async (client) => {
    await client.query('begin isolation level repeatable read')
    await client.query('select 1 from pg_class limit 1')
    held.resolve()
    await promise
  })
  await held.promise
  return async () => {
    resolve()
    await holding
  }
}
