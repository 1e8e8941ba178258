import { cancelJobs } from '../../queue/cancel.js'
import { CancelledError } from '../../worker/run/abort-reason.js'
import { expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const cancel: Promised = {
  name: 'cancel',
  says: 'A cancelled job that waits never runs; the handler of one that runs is told, and its outcome is not written',
  run: async (scene) => {
    const waits = await scene.enqueueOne({ label: 'waits' })
    const ended = await scene.until('a cancel', cancelJobs(scene.db, table, { ids: [waits.id] }))
    expectSame('waiting jobs that were cancelled', ended.length, 1)
    expectSame('cancelled jobs that were claimed', (await scene.claim(10)).length, 0)
    const runs = await scene.enqueueOne({ label: 'runs' })
    const begun = Promise.withResolvers<void>()
    const told = Promise.withResolvers<unknown>()
    const worker = scene.worker(async (_job, { signal }) => {
      signal.addEventListener('abort', () => told.resolve(signal.reason))
      begun.resolve()
      await told.promise
    })
    const cancelled = nextEvent(worker, 'cancelled')
    await scene.start(worker)
    await scene.until('its handler', begun.promise)
    await scene.until('a cancel', cancelJobs(scene.db, table, { ids: [runs.id] }))
    const reason = await scene.until('a handler that is told', told.promise)
    expectSame('told of a cancel', reason instanceof CancelledError, true)
    await scene.until('the end of its attempt', cancelled)
    expectSame('both jobs', await scene.statuses(), { runs: 'job_status_cancelled', waits: 'job_status_cancelled' })
    return undefined
  },
}
