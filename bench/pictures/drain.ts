import * as Plot from '@observablehq/plot'
import { contenders } from '../contenders/all.ts'
import type { Results } from '../results.ts'
import { drawn, numeral, ownColor, peerColor } from './picture.ts'

/** How many jobs at once the picture is about. */
const concurrency = 100

/** Jobs a second of all contenders, the quickest above. */
export function drainPicture({ drain }: Results): string | undefined {
  const bars = drain
    .filter((run) => run.concurrency === concurrency && run.processes === 1)
    .map(({ contender, rate }) => ({
      name: contenders[contender].title,
      rate,
      color: contender.startsWith('ours') ? ownColor : peerColor,
    }))
  if (bars.length === 0) return undefined
  const places = { x: 'rate', y: 'name' } as const
  return drawn({
    title: `Drain, ${concurrency} jobs at once in one process`,
    reading: 'jobs a second; more is better',
    x: { label: null, grid: true, tickFormat: numeral },
    y: { label: null },
    marks: [
      Plot.barX(bars, { ...places, fill: 'color', sort: { y: '-x' } }),
      Plot.text(bars, {
        ...places,
        text: ({ rate }: (typeof bars)[number]) => Math.round(rate).toLocaleString('en'),
        textAnchor: 'start',
        dx: 4,
      }),
    ],
  })
}
