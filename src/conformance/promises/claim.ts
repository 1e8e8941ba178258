import { randomUUID } from 'node:crypto'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import type { Scene, SuiteJob } from '../scene.js'

const jobs = 400
const atOnce = 7

export const claim: Promised = {
  name: 'claim',
  says: 'A due job is claimed by one worker alone, however many claim at the same time',
  absent: ({ engine }) =>
    engine.skipLocked ? undefined : `${engine.name} has no SKIP LOCKED: claims would wait for each other`,
  run: async (scene) => {
    await scene.enqueue(jobs)
    const claimers = [0, 1, 2, 3, 4, 5].map((n) => claimAll(scene, n % 2 === 0 ? scene.db : scene.stage.other))
    const claimed = (await scene.until('six claimers at once', Promise.all(claimers))).flat()
    const rest = await scene.claim(jobs)
    const ids = [...claimed, ...rest].map(({ id }) => id)
    expectSame(`claims of ${jobs} jobs by six at once`, ids.length, jobs)
    expectSame('the jobs among them', new Set(ids).size, jobs)
    return undefined
  },
}

/** Until nothing is due, or there is more than there are jobs. */
async function claimAll(scene: Scene, db: Scene['db']): Promise<SuiteJob[]> {
  const worker = randomUUID()
  const all: SuiteJob[] = []
  while (all.length <= jobs) {
    const some = await scene.claim(atOnce, worker, db)
    if (some.length === 0) break
    all.push(...some)
  }
  return all
}
