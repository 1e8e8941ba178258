import { linear } from '../../predicates/backoff.js'
import { retryJobs } from '../../queue/retry.js'
import { expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const retry: Promised = {
  name: 'retry',
  says: 'A job whose handler throws is tried again, has failed after its last attempt, and can be retried by hand',
  run: async (scene) => {
    const { id } = await scene.enqueueOne({ label: 'tried' })
    let isMended = false
    const worker = scene.worker(
      () => {
        if (!isMended) throw new Error('no route')
      },
      { maxAttempts: 2, backoff: linear({ delay: 0 }) },
    )
    const failed = nextEvent(worker, 'failed')
    await scene.start(worker)
    const { attempt } = await scene.until('the failure of its last attempt', failed)
    expectSame('the attempt that was its last', attempt, 2)
    const { status, last_error } = await scene.row('tried')
    expectSame('its row', [status, last_error?.includes('no route')], ['job_status_failed', true])
    isMended = true
    const succeeded = nextEvent(worker, 'succeeded')
    expectSame('jobs that were retried by hand', (await retryJobs(scene.db, table, { ids: [id] })).length, 1)
    await scene.until('its success', succeeded)
    return undefined
  },
}
