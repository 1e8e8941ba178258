import { now, sleep } from './clock.ts'
import { contenders } from './contenders/all.ts'
import type { EnqueueReport, PaceAssignment, QuickAssignment } from './process.ts'

/** Connections of an enqueuer that has to keep up a rate: one alone commits too slowly where commits reach the disk. */
const connections = 16

/**
 * Enqueues single jobs at even distances, later where all connections wait for answers; when the time is over that all of them
 * should have taken, the others are left out.
 */
export async function enqueueAtPace({ contender, url, rate, jobs }: PaceAssignment): Promise<EnqueueReport> {
  const enqueuer = await contenders[contender].enqueuer(url, connections)
  await Promise.all(Array.from({ length: connections }, () => enqueuer.one({ n: 0 }))) // opens the connections
  const commits: [n: number, at: number][] = []
  const start = now()
  const end = start + (jobs * 1000) / rate
  const left = Array.from({ length: jobs }, (_, n) => n + 1).values()
  const lane = async () => {
    for (const n of left) {
      if (now() > end) return
      const wait = start + (n * 1000) / rate - now()
      if (wait > 0) await sleep(wait)
      await enqueuer.one({ n })
      commits.push([n, now()])
    }
  }
  await Promise.all(Array.from({ length: connections }, lane))
  const elapsed = now() - start
  await enqueuer.close()
  return { commits, elapsed }
}

/** Enqueues as quickly as it goes, so many calls at once. */
export async function enqueueQuickly(assignment: QuickAssignment): Promise<EnqueueReport> {
  const { contender, url, jobs, connections, size, calls } = assignment
  const enqueuer = await contenders[contender].enqueuer(url, connections)
  await Promise.all(Array.from({ length: connections }, () => enqueuer.one({ n: 0 })))
  const payloads = Array.from({ length: size }, (_, n) => ({ n }))
  const [single] = payloads
  if (single === undefined) throw new RangeError('size: at least 1')
  const left = Array.from({ length: Math.ceil(jobs / size) }).values()
  const lane = async () => {
    for (const _ of left) await (size === 1 ? enqueuer.one(single) : enqueuer.many(payloads))
  }
  const start = now()
  await Promise.all(Array.from({ length: calls }, lane))
  const elapsed = now() - start
  await enqueuer.close()
  return { commits: [], elapsed }
}
