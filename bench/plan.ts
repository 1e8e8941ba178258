import type { ContenderName } from './contenders/all.ts'

/** How much is measured. */
export interface Plan {
  readonly rounds: number
  /** Rounds with handlers that do something. */
  readonly workRounds: number
  /**
   * Jobs of a drain, of which the second half is measured, and of one by a contender that takes each job by itself. The size decides graphile-worker's plan: 24 µs
   * of Postgres a job at 50,000 and at a million, 15 at 100,000.
   */
  readonly jobs: number
  readonly slowJobs: number
  /** Jobs of a drain under a held snapshot. */
  readonly heldJobs: number
  /** Seconds of enqueueing at each rate. */
  readonly latencySeconds: number
  readonly tableRows: readonly number[]
  /** Rows of the tables that a dashboard shows. */
  readonly dashboardRows: readonly number[]
  readonly limitSeconds: number
  readonly idleSeconds: number
}

export const quick: Plan = {
  rounds: 3,
  workRounds: 1,
  jobs: 100_000,
  slowJobs: 4_000,
  heldJobs: 200_000,
  latencySeconds: 1.5,
  tableRows: [10_000, 100_000, 1_000_000],
  dashboardRows: [1_000_000],
  limitSeconds: 3,
  idleSeconds: 40,
}

/** A drain of a million takes so long that each is an average by itself. */
export const long: Plan = {
  rounds: 1,
  workRounds: 5,
  jobs: 1_000_000,
  slowJobs: 20_000,
  heldJobs: 1_000_000,
  latencySeconds: 10,
  tableRows: [10_000, 100_000, 1_000_000, 10_000_000],
  dashboardRows: [1_000_000, 10_000_000],
  limitSeconds: 6,
  idleSeconds: 300,
}

/** Those that take each job by itself. */
const slow: ReadonlySet<ContenderName> = new Set(['graphileByDefault', 'bull'])

export function jobsOf({ jobs, slowJobs }: Pick<Plan, 'jobs' | 'slowJobs'>, contender: ContenderName): number {
  return slow.has(contender) ? Math.min(jobs, slowJobs) : jobs
}

/** One setting of the drain, and who takes part. */
export interface DrainSetting {
  readonly concurrency: number
  readonly processes: number
  readonly contenders: readonly ContenderName[]
  /** No target is about it: a single round will do. */
  readonly aside?: true
}

const held = ['oursHeld', 'oursHeldLean', 'oursHeldDeleted', 'oursHeldArchived'] as const

/** Who is compared takes turns with whom. */
export const drains: readonly DrainSetting[] = [
  { concurrency: 1, processes: 1, contenders: ['ours', 'graphileFastest', 'bossSeveral', 'bull'], aside: true },
  { concurrency: 10, processes: 1, contenders: ['ours', 'oursByDefault', 'graphileFastest', 'graphileByDefault'] },
  { concurrency: 10, processes: 1, contenders: ['oursHeldLean', 'bull'], aside: true },
  {
    concurrency: 100,
    processes: 1,
    contenders: ['ours', 'oursLean', 'oursDeleted', 'oursArchived', ...held, 'graphileFastest', 'bossSeveral', 'limit'],
  },
  {
    concurrency: 100,
    processes: 1,
    contenders: ['oursSynchronous', 'oursByDefault', 'graphileByDefault', 'bossSingle', 'bull'],
    aside: true,
  },
  { concurrency: 10, processes: 2, contenders: ['ours', 'oursHeldLean', 'graphileFastest'] },
  { concurrency: 10, processes: 4, contenders: ['ours', 'graphileFastest'], aside: true },
  { concurrency: 1, processes: 1, contenders: ['oursBatch', 'batchByHand'] }, // so many batches at once
]

/** Jobs a second in the measurement of latency; the lowest is idleness. */
export const loads = [20, 500, 2_000] as const
