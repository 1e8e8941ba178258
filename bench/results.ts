import type { ContenderName } from './contenders/all.ts'
import type { HandlerName } from './handlers.ts'
import type { Sight } from './measures/dashboard.ts'
import type { Drained } from './measures/drain.ts'
import type { enqueueings } from './measures/enqueue.ts'
import type { Growth, mixes, vacuumed } from './measures/growth.ts'
import type { Idleness } from './measures/idle.ts'
import type { Latency } from './measures/latency.ts'
import type { Partitioned } from './measures/partitions.ts'
import type { Quantiles } from './statistics.ts'

/** All figures of one run. */
export interface Results {
  readonly machine: string
  readonly date: string
  readonly drain: (Drained & { contender: ContenderName; concurrency: number; processes: number })[]
  readonly held: { contender: ContenderName; held: boolean; rate: number }[]
  /** The waits are those of all rounds. */
  readonly latency: (Omit<Latency, 'waits'> & { contender: ContenderName; load: number; waits: Quantiles })[]
  readonly enqueue: { contender: ContenderName; way: keyof typeof enqueueings; rate: number }[]
  readonly work: { contender: ContenderName; handler: HandlerName; concurrency: number; rate: number; ideal: number }[]
  readonly growth: (Growth & { mix: keyof typeof mixes | typeof vacuumed; priority: boolean; rows: number })[]
  readonly partitions: Partitioned[]
  /** Jobs a second of ways to limit, and as a ratio to the same without, or to what the limit allows. */
  readonly limits: { setting: string; rate: number; against: string; ratio: number }[]
  /** As a ratio to the same without any telemetry. */
  readonly telemetry: { contender: ContenderName; rate: number; cpu: number; ratio: number }[]
  readonly dashboard: (Sight & { archived: boolean })[]
  readonly idle: (Idleness & { contender: ContenderName; workers: number })[]
}
