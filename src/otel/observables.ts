import type { Attributes, BatchObservableCallback, Meter, Observable } from '@opentelemetry/api'
import { noStats, statsOf, type WorkerStats } from '../records/stats.js'
import { counters, type Figures, figuresOf, gauges, toldValue } from '../telemetry/figures.js'
import type { Looked, TableFigures, TableWatch } from '../telemetry/table-watch.js'
import type { WatchedWorker } from '../telemetry/watched.js'
import { attributesOf } from './conventions.js'

/** A figure as something that is observed when metrics are collected. */
interface Observed {
  readonly as: Observable
  valuesOf(figures: Figures): [value: number, attributes: Attributes][]
}

/** What is watched together: some workers, and what the database says of their tables where it is asked. */
export interface Source {
  readonly workers: readonly WatchedWorker[]
  readonly watch: TableWatch | undefined
  /** What waits to be recorded. */
  flush(): void
}

/**
 * All that is observed by one meter, told by one callback: an SDK would take the values that two tell of one table for a counter that jumps to and fro.
 */
class Observation {
  readonly #meter: Meter
  readonly #all: readonly Observed[]
  readonly #sources = new Set<Source>()
  /** What workers of each table have counted that are not observed any more: a counter only grows. */
  readonly #ended = new Map<string, WorkerStats>()

  constructor(meter: Meter) {
    this.#meter = meter
    this.#all = [consumed(meter), ...counted(meter), ...gauged(meter)]
  }

  add(source: Source): void {
    if (this.#sources.size === 0) this.#meter.addBatchObservableCallback(this.#observe, this.#instruments)
    this.#sources.add(source)
  }

  end(source: Source): void {
    if (!this.#sources.delete(source)) return
    for (const worker of source.workers) {
      const before = this.#ended.get(worker.table) ?? noStats
      this.#ended.set(worker.table, statsOf([before, worker.stats()]))
    }
    if (this.#sources.size === 0) this.#meter.removeBatchObservableCallback(this.#observe, this.#instruments)
  }

  get #instruments() {
    return this.#all.map(({ as }) => as)
  }

  readonly #observe: BatchObservableCallback = async (result) => {
    const sources = [...this.#sources]
    const looked = await Promise.all(sources.map(({ watch }) => watch?.look() ?? new Map()))
    for (const { flush } of sources) flush()
    const workers = sources.flatMap((source) => source.workers)
    for (const figures of figuresOf(workers, together(looked), this.#ended))
      for (const { as, valuesOf } of this.#all)
        for (const [value, attributes] of valuesOf(figures)) result.observe(as, value, attributes)
  }
}

const observations = new WeakMap<Meter, Observation>()

/**
 * Has all that workers count, and how they are, observed when metrics are collected: a job costs nothing for it.
 * @returns a function that ends it
 */
export function observe(meter: Meter, source: Source): () => void {
  const observation = observations.get(meter) ?? new Observation(meter)
  observations.set(meter, observation)
  observation.add(source)
  return () => observation.end(source)
}

/** Of a table that two have looked at, by whoever saw it. */
function together(looked: readonly Looked[]): Looked {
  const all = new Map<string, TableFigures | undefined>()
  for (const one of looked) for (const [table, figures] of one) all.set(table, figures ?? all.get(table))
  return all
}

const ofTable = (table: string): Attributes => ({ 'messaging.destination.name': table })

/** By the conventions: what was delivered, which is told of the receiving where both that and the processing are seen. */
function consumed(meter: Meter): Observed {
  const options = { unit: '{message}', description: 'Jobs that workers have claimed' }
  return {
    as: meter.createObservableCounter('messaging.client.consumed.messages', options),
    valuesOf: ({ table, stats }) => [[stats.claimed, attributesOf('receive', table)]],
  }
}

function counted(meter: Meter): Observed[] {
  return counters.map(({ name, help, value }) => ({
    as: meter.createObservableCounter(`kysely_jobs.${name}`, { description: help }),
    valuesOf: (figures) => {
      const [values, table] = [value(figures), ofTable(figures.table)]
      if (typeof values === 'number') return [[values, table]]
      return Object.entries(values).map(([outcome, count]) => [count, { ...table, 'kysely_jobs.outcome': outcome }])
    },
  }))
}

function gauged(meter: Meter): Observed[] {
  const units = { seconds: 's', ratio: '1' }
  return gauges(true).map((gauge) => ({
    as: meter.createObservableGauge(`kysely_jobs.${gauge.name}`, {
      description: gauge.help,
      ...(gauge.unit && { unit: units[gauge.unit] }),
    }),
    valuesOf: (figures) => {
      const number = toldValue(gauge, figures)
      return number === undefined ? [] : [[number, ofTable(figures.table)]]
    },
  }))
}
