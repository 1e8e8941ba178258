import { enqueue } from '../../queue/enqueue.js'
import { expectSame } from '../broken.js'
import { endedJobs } from '../events.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const complete: Promised = {
  name: 'complete',
  says: "A handler's effects and its job's completion commit together, or not at all",
  run: async (scene) => {
    await scene.enqueue(2, (n) => ({ label: n === 0 ? 'commits' : 'rolls back' }))
    const later = new Date(Date.now() + 3_600_000)
    const worker = scene.worker(
      async (job, context) => {
        await scene.db.transaction().execute(async (trx) => {
          await enqueue(trx, table, { tenant_id: job.tenant_id, label: `effect: ${job.label}`, run_at: later })
          await context.complete(trx)
          if (job.label === 'rolls back') throw new Error('changed my mind')
        })
      },
      { maxAttempts: 1 },
    )
    const done = endedJobs([worker], 2)
    await scene.start(worker)
    await scene.until('the outcomes of both', done)
    expectSame('the jobs, and what their handlers wrote', await scene.statuses(), {
      commits: 'job_status_succeeded',
      'effect: commits': 'job_status_not_started',
      'rolls back': 'job_status_failed',
    })
    return undefined
  },
}
