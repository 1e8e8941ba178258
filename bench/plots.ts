import { type ContenderName, contenders } from './contenders/all.ts'
import { mixes, vacuumed } from './measures/growth.ts'
import type { Results } from './results.ts'
import { bars, type Series } from './svg.ts'

/** The pictures of what a run measured, by file name. */
export function plots(results: Results): Record<string, string> {
  const all = {
    'drain.svg': ['Drain, jobs a second (higher is better)', drain(results)],
    'latency.svg': ['From commit to handler, ms (lower is better)', latency(results)],
    'growth.svg': ['Pages touched by table size, for each job of a batch of 500', growth(results)],
  } as const
  const measured = Object.entries(all).filter(([, [, series]]) => series.some((one) => one.bars.length > 0))
  return Object.fromEntries(measured.map(([name, [title, series]]) => [name, bars(title, series)]))
}

function drain(results: Results): Series[] {
  const settings = [
    ...Map.groupBy(results.drain, ({ concurrency, processes }) => `${concurrency} ${processes}`).values(),
  ]
  return settings.map((runs) => ({
    title: `c = ${runs[0]?.concurrency}, ${runs[0]?.processes} process${runs[0]?.processes === 1 ? '' : 'es'}`,
    bars: runs.map(({ contender, rate }) => ({ ...named(contender), value: Math.round(rate) })),
  }))
}

function latency(results: Results): Series[] {
  return [...Map.groupBy(results.latency, ({ load }) => load)].flatMap(([load, runs]) =>
    (['p50', 'p99', 'max'] as const).map((part) => ({
      title: `${part} at ${load} jobs/s`,
      bars: runs.map((run) => ({ ...named(run.contender), value: Number(run[part].toFixed(2)) })),
    })),
  )
}

function growth(results: Results): Series[] {
  return [...Object.keys(mixes), vacuumed].flatMap((mix) =>
    (['fetch', 'settle'] as const).map((verb) => ({
      title: `${verb}: ${mix}`,
      bars: results.growth
        .filter((run) => run.mix === mix && !run.priority)
        .map((run) => ({
          name: `${run.rows.toLocaleString('en')} rows`,
          own: true,
          value: Number(run[verb].pages.toFixed(1)),
        })),
    })),
  )
}

function named(contender: ContenderName) {
  return { name: contenders[contender].title, own: contender.startsWith('ours') }
}
