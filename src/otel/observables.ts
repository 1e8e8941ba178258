import type { Attributes, BatchObservableCallback, Meter, Observable } from '@opentelemetry/api'
import { countOf } from '../records/histogram.js'
import { counters, type Figures, gauges } from '../telemetry/figures.js'
import { attributesOf } from './conventions.js'

/** A figure as something that is observed when metrics are collected. */
interface Observed {
  readonly as: Observable
  valuesOf(figures: Figures): [value: number, attributes: Attributes][]
}

/**
 * Has all that workers count, and how they are, observed when metrics are collected: a job costs nothing for it.
 * @returns a function that ends it
 */
export function observe(meter: Meter, look: () => Promise<readonly Figures[]>, isAsked: boolean): () => void {
  const all = [consumed(meter), ...counted(meter), ...gauged(meter, isAsked)]
  const instruments = all.map((observed) => observed.as)
  const callback: BatchObservableCallback = async (result) => {
    for (const figures of await look())
      for (const { as, valuesOf } of all)
        for (const [value, attributes] of valuesOf(figures)) result.observe(as, value, attributes)
  }
  meter.addBatchObservableCallback(callback, instruments)
  return () => meter.removeBatchObservableCallback(callback, instruments)
}

const ofTable = (table: string): Attributes => ({ 'messaging.destination.name': table })

/** By the conventions: what was given to handlers. */
function consumed(meter: Meter): Observed {
  const options = { unit: '{message}', description: 'Jobs whose handler was called' }
  return {
    as: meter.createObservableCounter('messaging.client.consumed.messages', options),
    valuesOf: ({ table, stats }) => [[countOf(stats.duration), attributesOf('process', table)]],
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

function gauged(meter: Meter, isAsked: boolean): Observed[] {
  return gauges(isAsked).map(({ name, unit, help, value }) => ({
    as: meter.createObservableGauge(`kysely_jobs.${name}`, { description: help, ...(unit && { unit: 's' }) }),
    valuesOf: (figures) => {
      const number = value(figures)
      return number === undefined ? [] : [[unit === undefined ? number : number / 1000, ofTable(figures.table)]]
    },
  }))
}
