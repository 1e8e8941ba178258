import * as Plot from '@observablehq/plot'
import { mixes, vacuumed, verbs } from '../measures/growth.ts'
import type { Results } from '../results.ts'
import { drawn, logarithmic } from './picture.ts'

/** Told apart by the color-blind as well. */
const colors = { fetch: '#0072b2', wakeUp: '#d55e00', settle: '#009e73', heartbeat: '#cc79a7', rescue: '#6b6b6b' }

/** Pages touched by what a worker sends, over the rows of the table. */
export function growthPicture({ growth }: Results): string | undefined {
  if (growth.length === 0) return undefined
  const points = growth.flatMap((run) =>
    verbs.map((verb) => ({
      mix: run.mix,
      priority: run.priority ? '5 priorities' : 'no priority',
      rows: run.rows,
      verb,
      pages: run[verb].pages,
      color: colors[verb],
    })),
  )
  const places = { x: 'rows', y: 'pages', fx: 'priority', fy: 'mix' } as const
  return drawn({
    title: 'Pages touched, by rows of the table',
    reading: 'for each job of a batch of 500 (fetch, settle, heartbeat), or in all (rescue, wake-up); less is better',
    legend: verbs.map((verb) => [verb === 'wakeUp' ? 'wake-up' : verb, colors[verb]] as const),
    height: 780,
    marginTop: 100,
    marginLeft: 60,
    marginRight: 240,
    x: logarithmic(
      points.map(({ rows }) => rows),
      false,
    ),
    y: { ...logarithmic([1, ...points.map(({ pages }) => pages)], false), grid: true },
    fx: { label: null, domain: ['no priority', '5 priorities'], padding: 0.15 },
    fy: { label: null, domain: [...Object.keys(mixes), vacuumed] },
    marks: [
      Plot.frame({ strokeOpacity: 0.2 }),
      Plot.line(points, { ...places, z: 'verb', stroke: 'color', strokeWidth: 1.5 }),
      Plot.dot(points, { ...places, fill: 'color', r: 2.5 }),
    ],
  })
}
