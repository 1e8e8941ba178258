import { expectSame } from '../broken.js'
import { endedJobs } from '../events.js'
import type { Promised } from '../promised.js'
import type { SuiteJob } from '../scene.js'

const jobs = 200

export const work: Promised = {
  name: 'work',
  says: 'Each job runs once, whichever of several workers takes it, and has succeeded then',
  run: async (scene) => {
    await scene.enqueue(jobs, (n) => ({ tenant_id: n % 3 }))
    const runs: string[] = []
    const handler = ({ id }: SuiteJob) => void runs.push(id)
    const workers = [scene.worker(handler), scene.worker(handler, { db: scene.stage.other })]
    const done = endedJobs(workers, jobs)
    await scene.start(...workers)
    await scene.until('the outcomes of all jobs', done)
    expectSame(`runs of ${jobs} jobs`, [runs.length, new Set(runs).size], [jobs, jobs])
    const statuses = new Set(Object.values(await scene.statuses()))
    expectSame('statuses when all have run', [...statuses], ['job_status_succeeded'])
    return undefined
  },
}
