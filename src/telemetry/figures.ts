import type { Histogram } from '../records/histogram.js'
import { noStats, statsOf, type WorkerStats } from '../records/stats.js'
import type { WorkerState } from '../records/worker-state.js'
import type { WorkerHealth } from '../worker/health.js'
import type { Looked, TableFigures } from './table-watch.js'
import type { WatchedWorker } from './watched.js'

/** All that is known of a table at one moment, by the workers of this process and, where it was asked, the database. */
export interface Figures {
  readonly table: string
  readonly stats: WorkerStats
  readonly health: readonly WorkerHealth[]
  /** Of workers that have started, and have not stopped. */
  readonly states: readonly WorkerState[]
  /** The database was to be asked. */
  readonly isAsked: boolean
  /** Undefined: it could not be asked, or was not to be. */
  readonly inTable: TableFigures | undefined
}

/**
 * The figures of each table.
 * @param inTables what the database says of those that it was asked about
 * @param ended what workers have counted that are not watched any more
 */
export function figuresOf(
  workers: readonly WatchedWorker[],
  inTables: Looked,
  ended: ReadonlyMap<string, WorkerStats> = new Map(),
): readonly Figures[] {
  return [...Map.groupBy(workers, ({ table }) => table)].map(([table, some]) => ({
    table,
    stats: statsOf([...some.map((worker) => worker.stats()), ended.get(table) ?? noStats]),
    health: some.map((worker) => worker.health()),
    states: some.flatMap((worker) => worker.describe?.() ?? []).filter(({ state }) => state !== 'stopped'),
    isAsked: inTables.has(table),
    inTable: inTables.get(table),
  }))
}

/** A figure with a name. Labels are the table and, of counters by outcome, that: their number is bounded. */
interface Named {
  /** As Prometheus has it, after `kysely_jobs_`. */
  readonly name: string
  readonly help: string
}

/** One value, or one for each outcome; undefined where it is not known. */
export interface Counter extends Named {
  readonly kind: 'counter'
  readonly value: (figures: Figures) => number | Readonly<Record<string, number>>
}

export interface Gauge extends Named {
  readonly kind: 'gauge'
  readonly unit?: 'seconds' | 'ratio'
  /** Milliseconds, where the unit is seconds. */
  readonly value: (figures: Figures) => number | undefined
}

export interface Durations extends Named {
  readonly kind: 'histogram'
  readonly unit: 'seconds'
  readonly value: (figures: Figures) => Histogram
}

/** How attempts end, by the words that `outcome` has. */
const outcomes = (stats: WorkerStats) => ({
  succeeded: stats.succeeded,
  retry: stats.retry,
  failed: stats.failed,
  timed_out: stats.timedOut,
  cancelled: stats.cancelled,
  snoozed: stats.snoozed,
  released: stats.released,
  lost: stats.lost,
})

export const counters: readonly Counter[] = [
  {
    kind: 'counter',
    name: 'claimed',
    help: 'Jobs that workers of this process have claimed',
    value: ({ stats }) => stats.claimed,
  },
  {
    kind: 'counter',
    name: 'attempts',
    help: 'Attempts that have ended, by their outcome; lost: the lease was',
    value: ({ stats }) => outcomes(stats),
  },
  {
    kind: 'counter',
    name: 'rescued',
    help: 'Jobs taken over from workers that are gone',
    value: ({ stats }) => stats.rescued,
  },
]

export const histograms: readonly Durations[] = [
  {
    kind: 'histogram',
    name: 'wait',
    unit: 'seconds',
    help: 'How long jobs waited, from when they were due to their handler',
    value: ({ stats }) => stats.wait,
  },
  {
    kind: 'histogram',
    name: 'run',
    unit: 'seconds',
    help: 'How long handlers ran',
    value: ({ stats }) => stats.duration,
  },
]

const sum = (numbers: readonly number[]) => numbers.reduce((all, number) => all + number, 0)
const least = (numbers: readonly (number | undefined)[]) => {
  const known = numbers.filter((number) => number !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
const asNumber = (isSo: boolean) => (isSo ? 1 : 0)

/** Of the workers of this process. */
const ofWorkers: readonly Gauge[] = [
  {
    kind: 'gauge',
    name: 'concurrency',
    help: 'Handlers that may run at once in this process',
    value: ({ states }) => sum(states.map(({ concurrency }) => concurrency)),
  },
  {
    kind: 'gauge',
    name: 'handlers_running',
    help: 'Handlers that run in this process',
    value: ({ health }) => sum(health.map(({ running }) => running)),
  },
  {
    kind: 'gauge',
    name: 'handlers_stuck',
    help: 'Handlers that go on a lease after their signal was aborted',
    value: ({ health }) => sum(health.map(({ stuck }) => stuck)),
  },
  {
    kind: 'gauge',
    name: 'lease_margin',
    unit: 'seconds',
    help: 'What the oldest lease has left; absent where none is held',
    value: ({ health }) => least(health.map(({ leaseMargin }) => leaseMargin)),
  },
  {
    kind: 'gauge',
    name: 'listening',
    help: '1: notifications come; 0: polling does the work; absent without the option listen',
    value: listening,
  },
  {
    kind: 'gauge',
    name: 'paused',
    help: '1: a worker, or the whole table, is paused',
    value: ({ health }) => asNumber(health.some(({ paused }) => paused !== undefined)),
  },
  {
    kind: 'gauge',
    name: 'alive',
    help: '1: all workers of this process run, and fetches come back',
    value: ({ health }) => asNumber(health.every(({ alive }) => alive)),
  },
  {
    kind: 'gauge',
    name: 'limit',
    help: 'The most jobs that run at once over all processes; absent without such a limit',
    value: ({ states }) => least(states.map(({ total }) => total)),
  },
]

/** Of the table: the same from whichever process, so that it takes their maximum, never their sum. */
const ofTables: readonly Gauge[] = [
  {
    kind: 'gauge',
    name: 'table_up',
    help: '1: the database told of the table',
    value: ({ isAsked, inTable }) => (isAsked ? asNumber(inTable !== undefined) : undefined),
  },
  {
    kind: 'gauge',
    name: 'due',
    help: 'Jobs that a worker could claim now; 10,000 means so many or more',
    value: ({ inTable }) => inTable?.due,
  },
  {
    kind: 'gauge',
    name: 'oldest_due',
    unit: 'seconds',
    help: 'Since when the job that waits longest is due; 0 where none is',
    value: ({ inTable }) => inTable && (inTable.due === 0 ? 0 : inTable.oldestDue),
  },
  {
    kind: 'gauge',
    name: 'running',
    help: 'Jobs that run anywhere; 10,000 means so many or more',
    value: ({ inTable }) => inTable?.running,
  },
  {
    kind: 'gauge',
    name: 'retrying',
    help: 'Jobs that have failed and wait for the time of their next attempt; 10,000 means so many or more',
    value: ({ inTable }) => inTable?.retrying,
  },
  {
    kind: 'gauge',
    name: 'failed',
    help: 'Jobs that have failed or timed out for good and are still there, beyond 10,000 estimated',
    value: ({ inTable }) => inTable?.failed,
  },
  {
    kind: 'gauge',
    name: 'limit_use',
    unit: 'ratio',
    help: 'The largest share in use of a limit of the workers of this process, of all jobs or of a key; 1: no more may begin; absent without limits',
    value: ({ inTable }) => inTable?.limitUse,
  },
  {
    kind: 'gauge',
    name: 'limits_full',
    help: 'Of so many keys as many jobs run as may, all jobs together among them; absent without limits',
    value: ({ inTable }) => inTable?.fullKeys,
  },
]

/** A gauge's value as it is told: durations in seconds. */
export function toldValue({ unit, value }: Gauge, figures: Figures): number | undefined {
  const number = value(figures)
  return number !== undefined && unit === 'seconds' ? number / 1000 : number
}

/** @param isAsked the database is asked for those of tables */
export function gauges(isAsked: boolean): readonly Gauge[] {
  return isAsked ? [...ofWorkers, ...ofTables] : ofWorkers
}

function listening({ health }: Figures): number | undefined {
  const listeners = health.map(({ listener }) => listener).filter((state) => state !== 'off')
  return listeners.length === 0 ? undefined : asNumber(listeners.every((state) => state === 'listening'))
}
