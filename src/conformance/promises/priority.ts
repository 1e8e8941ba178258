import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'

const priorities = [0, 9, 5, 9, 1]

export const priority: Promised = {
  name: 'priority',
  says: 'Of the jobs that are due, those of the highest priority are claimed first',
  run: async (scene) => {
    await scene.enqueue(priorities.length, (n) => ({ priority: priorities[n] ?? 0 }))
    const claimed: number[] = []
    for (const _ of priorities) claimed.push(...(await scene.claim(1)).map((job) => job.priority))
    expectSame(
      'the priorities of one claim after the other',
      claimed,
      priorities.toSorted((a, b) => b - a),
    )
    return undefined
  },
}
