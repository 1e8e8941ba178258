import type { MetricConfiguration, MetricValue, Registry } from 'prom-client'
import { countOf, type Histogram, histogramBounds } from '../records/histogram.js'
import { counters, type Durations, type Figures, gauges, histograms, toldValue } from '../telemetry/figures.js'

type PromClient = typeof import('prom-client')

/** Reads all figures. */
type Look = () => Promise<readonly Figures[]>

/** Every second bound of ours, in seconds: powers of two, from 1 ms to more than a day. */
const places = histogramBounds.map((_, place) => place).filter((place) => place % 2 === 0)

/** Whether a registry has them. */
export function hasMetrics(registry: Registry): boolean {
  return registry.getSingleMetric('kysely_jobs_alive') !== undefined
}

/** Registers all metrics; each reads its values when it is scraped. */
export function registerMetrics(
  client: PromClient,
  given: Registry | undefined,
  look: Look,
  isAsked: boolean,
): Registry {
  const registry = given ?? new client.Registry()
  const once = shared(look)
  registerCounters(client, registry, once)
  registerGauges(client, registry, once, isAsked)
  for (const durations of histograms) registry.registerMetric(told(client, durations, once))
  return registry
}

/** The metrics of one scrape have the same figures. */
function shared(look: Look): Look {
  let looking: Promise<readonly Figures[]> | undefined
  return () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
}

function registerCounters(client: PromClient, registry: Registry, look: Look): void {
  for (const { name, help, value } of counters) {
    const isByOutcome = name === 'attempts'
    new client.Counter({
      ...{ name: `kysely_jobs_${name}_total`, help, registers: [registry] },
      labelNames: isByOutcome ? ['table', 'outcome'] : ['table'],
      async collect() {
        const all = await look()
        this.reset()
        for (const figures of all) {
          const values = value(figures)
          if (typeof values === 'number') this.inc({ table: figures.table }, values)
          else for (const [outcome, count] of Object.entries(values)) this.inc({ table: figures.table, outcome }, count)
        }
      },
    })
  }
}

function registerGauges(client: PromClient, registry: Registry, look: Look, isAsked: boolean): void {
  for (const gauge of gauges(isAsked)) {
    const { name, unit, help } = gauge
    new client.Gauge({
      ...{
        name: `kysely_jobs_${name}${unit === undefined ? '' : `_${unit}`}`,
        help,
        registers: [registry],
        labelNames: ['table'],
      },
      async collect() {
        const all = await look()
        this.reset()
        for (const figures of all) {
          const number = toldValue(gauge, figures)
          if (number !== undefined) this.set({ table: figures.table }, number)
        }
      },
    })
  }
}

/** A histogram whose buckets were counted elsewhere. */
function told(client: PromClient, { name, unit, help, value }: Durations, look: Look) {
  const own: MetricConfiguration<'table'> = {
    name: `kysely_jobs_${name}_${unit}`,
    help,
    labelNames: ['table'],
    registers: [],
  }
  class Told extends client.Histogram<'table'> {
    override async get() {
      const all = await look()
      const values = all.flatMap((figures) => valuesOf(own.name, figures.table, value(figures)))
      // as prom-client's own get() gives it, whose types say more than is there
      return { name: own.name, help, type: 'histogram', aggregator: 'sum', values } as unknown as FromHistogram
    }

    /** What prom-client asks for where the text is made of it. */
    getForPromString() {
      return this.get()
    }
  }
  return new Told(own)
}

type FromHistogram = Awaited<ReturnType<InstanceType<PromClient['Histogram']>['get']>>

type BucketValue = MetricValue<'le' | 'table'> & { metricName: string }

function valuesOf(name: string, table: string, histogram: Histogram): BucketValue[] {
  const { counts, sum } = histogram
  const atMost = (place: number) => counts.slice(0, place + 1).reduce((all, count) => all + count, 0)
  const buckets = places.map((place) => ({
    labels: { le: (histogramBounds[place] as number) / 1000, table }, // a place of that list
    value: atMost(place),
    metricName: `${name}_bucket`,
  }))
  const count = countOf(histogram)
  return [
    ...buckets,
    { labels: { le: '+Inf', table }, value: count, metricName: `${name}_bucket` },
    { labels: { table }, value: sum / 1000, metricName: `${name}_sum` },
    { labels: { table }, value: count, metricName: `${name}_count` },
  ]
}
