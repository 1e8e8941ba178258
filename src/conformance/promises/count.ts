import { countJobs } from '../../queue/count.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const count: Promised = {
  name: 'count',
  says: 'Jobs are counted by their state',
  run: async (scene) => {
    await scene.enqueue(5)
    await scene.claim(2)
    const { due, statuses } = await scene.until('countJobs', countJobs(scene.db, table))
    expectSame('jobs that are due, and that run', [due, statuses.job_status_running], [3, 2])
    return undefined
  },
}
