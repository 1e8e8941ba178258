import { type ContenderName, contenders } from '../contenders/all.ts'
import { type EnqueueReport, Process } from '../process.ts'
import type { Server } from '../server.ts'

/** A way to enqueue. */
export interface Enqueueing {
  readonly jobs: number
  readonly connections: number
  /** Jobs of one call; 1: singles. */
  readonly size: number
  /** Calls that are under way at once. */
  readonly calls: number
}

export const enqueueings = {
  'singles, 1 connection': { connections: 1, size: 1, calls: 1, jobs: 1_000 },
  'singles, 16 connections': { connections: 16, size: 1, calls: 16, jobs: 4_000 },
  'singles, 1,000 calls in one tick': { connections: 10, size: 1, calls: 1_000, jobs: 4_000 },
  'arrays of 100': { connections: 1, size: 100, calls: 1, jobs: 20_000 },
  'arrays of 1,000': { connections: 1, size: 1_000, calls: 1, jobs: 50_000 },
  'one array of 100,000': { connections: 1, size: 100_000, calls: 1, jobs: 100_000 },
} satisfies Record<string, Enqueueing>

/** The one that a target is about. */
export const enqueueingOfTarget = 'arrays of 1,000' satisfies keyof typeof enqueueings

/** Jobs a second. */
export async function enqueueRate(server: Server, contender: ContenderName, plan: Enqueueing): Promise<number> {
  const url = await server.database(contender)
  await contenders[contender].fill(url, 0)
  await server.quiet(url)
  const enqueuer = await Process.prepare<EnqueueReport>({ kind: 'quick', contender, url, ...plan })
  enqueuer.begin()
  const { elapsed } = await enqueuer.report()
  return plan.jobs / (elapsed / 1000)
}
