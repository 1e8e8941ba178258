import type { ContenderName } from './contenders/all.ts'

/** How much is measured. */
export interface Plan {
  readonly rounds: number
  /** Jobs of a drain, and of one by a contender that takes each job by itself. */
  readonly jobs: number
  readonly slowJobs: number
  /** Jobs of a drain under a held snapshot. */
  readonly heldJobs: number
  /** Seconds of enqueueing at each rate. */
  readonly latencySeconds: number
  readonly tableRows: readonly number[]
  readonly idleSeconds: number
}

export const quick: Plan = {
  rounds: 3,
  jobs: 50_000,
  slowJobs: 4_000,
  heldJobs: 200_000,
  latencySeconds: 2,
  tableRows: [10_000, 100_000, 1_000_000],
  idleSeconds: 60,
}

export const long: Plan = {
  rounds: 5,
  jobs: 1_000_000,
  slowJobs: 20_000,
  heldJobs: 1_000_000,
  latencySeconds: 10,
  tableRows: [10_000, 100_000, 1_000_000, 10_000_000],
  idleSeconds: 300,
}

/** One setting of the drain, and who takes part. */
export interface DrainSetting {
  readonly concurrency: number
  readonly processes: number
  readonly contenders: readonly ContenderName[]
}

const fast = ['ours', 'oursByDefault', 'graphileFastest', 'bossSeveral', 'limit'] as const
const all = [...fast, 'oursPruned', 'bossSingle', 'graphileByDefault'] as const

export const drains: readonly DrainSetting[] = [
  { concurrency: 1, processes: 1, contenders: [...fast, 'graphileByDefault'] },
  { concurrency: 10, processes: 1, contenders: all },
  { concurrency: 100, processes: 1, contenders: all },
  { concurrency: 10, processes: 2, contenders: fast },
  { concurrency: 10, processes: 4, contenders: fast },
]

/** Jobs a second in the measurement of latency; the lowest is idleness. */
export const loads = [20, 500, 2_000] as const
