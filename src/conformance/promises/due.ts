import { enqueue } from '../../queue/enqueue.js'
import { nextDueAt } from '../../queue/next-due.js'
import { expectAtMost, expectSame } from '../broken.js'
import { nextEvent } from '../events.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

const delay = 400

export const due: Promised = {
  name: 'due',
  says: 'A job does not run before it is due, by the clock of the database, and does then',
  run: async (scene) => {
    await enqueue(scene.db, table, { tenant_id: 1, label: 'later' }, { delay })
    expectSame('jobs that were claimed before they are due', (await scene.claim(10)).length, 0)
    const wait = await scene.until('when the next job is due', nextDueAt(scene.db, table))
    expectAtMost('milliseconds until it is due', wait ?? Number.NaN, delay)
    const worker = scene.worker(() => {})
    const succeeded = nextEvent(worker, 'succeeded')
    await scene.start(worker)
    await scene.until('its success', succeeded)
    return undefined
  },
}
