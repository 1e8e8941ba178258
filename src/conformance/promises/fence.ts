import { randomUUID } from 'node:crypto'
import { heartbeat } from '../../queue/heartbeat.js'
import { rescue } from '../../queue/rescue.js'
import { settle } from '../../queue/settle.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const fence: Promised = {
  name: 'fence',
  says: 'Who has lost a job writes nothing to it any more: neither its outcome nor its lease',
  run: async (scene) => {
    const { known } = scene.stage
    const [slow, next] = [randomUUID(), randomUUID()]
    await scene.enqueueOne({ label: 'fenced' })
    const lost = await scene.claimOne(slow)
    await scene.age(lost.job)
    await scene.until('a rescue', rescue(scene.db, table, { lease: '60s', maxAttempts: 10, ...known }))
    const held = await scene.claimOne(next)
    const outcome = { ...lost.lease, kind: 'succeeded' } as const
    const written = await scene.until('a settle', settle(scene.db, table, [outcome], { worker: slow, ...known }))
    expectSame('outcomes that were written by a lost lease', written.length, 0)
    const renewed = await scene.until(
      'a heartbeat',
      heartbeat(scene.db, table, [lost.lease], { worker: slow, ...known }),
    )
    expectSame('lost leases that were renewed', renewed.length, 0)
    const { status, attempts_count, locked_by } = await scene.row('fenced')
    expectSame(
      'the job of the next worker',
      { status, attempts_count, isHeld: locked_by === held.job.locked_by },
      { status: 'job_status_running', attempts_count: 2, isHeld: true },
    )
    return undefined
  },
}
