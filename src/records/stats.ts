import { type Histogram, histogramOf, histogramSince } from './histogram.js'

/** What becomes of attempts and of jobs that are claimed, as far as it is counted: each as the event of its name. */
export const counted = [
  'claimed',
  'succeeded',
  'retry',
  'failed',
  'timedOut',
  'cancelled',
  'snoozed',
  'released',
  'lost',
  'rescued',
] as const

/** What is counted. */
export type Counted = (typeof counted)[number]

/** What became of the jobs of a worker since it was made: numbers that only grow, each of the jobs that the event of its name told of. */
export interface WorkerStats extends Readonly<Record<Counted, number>> {
  /** Of attempts whose handler was called: from when the job was due until then, as the events' `wait`. */
  readonly wait: Histogram
  /** Of the same: how long the handler ran, as the events' `duration`. */
  readonly duration: Histogram
}

const noDurations: Histogram = { counts: [], sum: 0 }

/** Of a worker that has done nothing yet. */
export const noStats: WorkerStats = { ...countsBy(() => 0), wait: noDurations, duration: noDurations }

/** What came to the stats of a worker since an earlier time. */
export function statsSince(now: WorkerStats, before: WorkerStats): WorkerStats {
  return {
    ...countsBy((name) => now[name] - before[name]),
    wait: histogramSince(now.wait, before.wait),
    duration: histogramSince(now.duration, before.duration),
  }
}

/** The stats of several workers together. */
export function statsOf(some: readonly WorkerStats[]): WorkerStats {
  return {
    ...countsBy((name) => some.reduce((sum, stats) => sum + stats[name], 0)),
    wait: histogramOf(some.map(({ wait }) => wait)),
    duration: histogramOf(some.map(({ duration }) => duration)),
  }
}

/** Whether nothing was counted. */
export function isEmpty(stats: WorkerStats): boolean {
  return counted.every((name) => stats[name] === 0)
}

function countsBy(count: (name: Counted) => number): Record<Counted, number> {
  return Object.fromEntries(counted.map((name) => [name, count(name)])) as Record<Counted, number> // all of them
}
