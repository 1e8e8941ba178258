import { randomUUID } from 'node:crypto'
import { heartbeat } from '../../queue/heartbeat.js'
import { rescue } from '../../queue/rescue.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const lease: Promised = {
  name: 'lease',
  says: 'A job is held while its lease is renewed; expired, it is due again at once, or has failed after its last attempt',
  run: async (scene) => {
    const { known } = scene.stage
    const worker = randomUUID()
    const rescued = (maxAttempts: number) =>
      scene.until('a rescue', rescue(scene.db, table, { lease: '60s', maxAttempts, ...known }))
    await scene.enqueueOne({ label: 'leased' })
    const first = await scene.claimOne(worker)
    await scene.age(first.job)
    const renewed = await scene.until('a heartbeat', heartbeat(scene.db, table, [first.lease], { worker, ...known }))
    expectSame('leases that were renewed', renewed.length, 1)
    expectSame('jobs that were taken from a renewed lease', (await rescued(10)).length, 0)
    await scene.age(first.job)
    expectSame(
      'what became of an expired lease',
      (await rescued(10)).map(({ status }) => status),
      ['job_status_retry'],
    )
    const second = await scene.claimOne(worker)
    expectSame('the attempt after it', second.lease.attempt, 2)
    await scene.age(second.job)
    expectSame(
      'what became of the last attempt',
      (await rescued(2)).map(({ status }) => status),
      ['job_status_failed'],
    )
    return undefined
  },
}
