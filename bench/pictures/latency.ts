import * as Plot from '@observablehq/plot'
import { contenders } from '../contenders/all.ts'
import type { Results } from '../results.ts'
import { drawn, ink, logarithmic, ownColor, peerColor } from './picture.ts'

/** Parts of the jobs, each with their middle: what lies in more of them is darker. */
const widest = 0.98
const parts = [widest, 0.9, 0.8, 0.5, 0.2]

/** A handler may begin before the enqueuer has its answer: milliseconds from which on a wait can be shown. */
const shortest = 0.1

/** From the commit to the handler, as distributions over all jobs. */
export function latencyPicture({ latency }: Results): string | undefined {
  if (latency.length === 0) return undefined
  const rows = latency.map(({ contender, load, waits }) => {
    const quantiles = new Map(waits)
    const at = (share: number) => Math.max(shortest, quantiles.get(share) ?? Number.NaN)
    return {
      load: `${load.toLocaleString('en')} jobs/s`,
      name: contenders[contender].title,
      color: contender.startsWith('ours') ? ownColor : peerColor,
      at,
    }
  })
  type Row = (typeof rows)[number]
  const shown = rows.flatMap(({ at }) => [at(hundredth((1 - widest) / 2)), at(1)])
  const places = { y: 'name', fy: 'load' } as const
  return drawn({
    title: 'From the answer to the commit to the handler, ms',
    reading:
      'less is better; bars: where the middle 98, 90, 80, 50 and 20 % of the jobs are; black: the median; dot: the last',
    height: 560,
    x: { ...logarithmic(shown, Math.max(...shown) / Math.min(...shown) < 1000), grid: true },
    y: { label: null, domain: [...new Set(rows.map(({ name }) => name))] },
    fy: { label: null, domain: [...new Set(rows.map(({ load }) => load))] },
    marginRight: 100,
    marks: [
      ...parts.map((part) =>
        Plot.barX(rows, {
          ...places,
          x1: ({ at }: Row) => at(hundredth((1 - part) / 2)),
          x2: ({ at }: Row) => at(hundredth((1 + part) / 2)),
          fill: 'color',
          fillOpacity: 0.3,
        }),
      ),
      Plot.tickX(rows, { ...places, x: ({ at }: Row) => at(0.5), stroke: ink, strokeWidth: 2 }),
      Plot.dot(rows, { ...places, x: ({ at }: Row) => at(1), fill: 'color', r: 2.5 }),
    ],
  })
}

/** As the shares of quantiles are written. */
function hundredth(share: number): number {
  return Math.round(share * 100) / 100
}
