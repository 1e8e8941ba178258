import type { Results } from '../results.ts'
import { drainPicture } from './drain.ts'
import { growthPicture } from './growth.ts'
import { latencyPicture } from './latency.ts'

/** The pictures of what a run measured, by file name. */
export function pictures(results: Results): ReadonlyMap<string, string> {
  const all = { drain: drainPicture(results), latency: latencyPicture(results), growth: growthPicture(results) }
  return new Map(
    Object.entries(all).flatMap(([name, svg]) => (svg === undefined ? [] : [[`${name}.svg`, svg] as const])),
  )
}
