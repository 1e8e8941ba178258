import { expectSame } from '../broken.js'
import { isScattered, type Promised } from '../promised.js'

const priorities = [0, 9, 5, 9, 1]

export const priority: Promised = {
  name: 'priority',
  says: 'Of the jobs that are due, those of the highest priority are claimed first',
  absent: (home) =>
    isScattered(home) ? 'each value of the column has its own order, and the jobs here have several' : undefined,
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
