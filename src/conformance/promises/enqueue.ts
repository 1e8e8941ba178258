import { enqueue as enqueueJobs } from '../../queue/enqueue.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import type { Scene } from '../scene.js'
import { table } from '../suite-table.js'

const labels = Array.from({ length: 30 }, (_, n) => `${n}`)

export const enqueue: Promised = {
  name: 'enqueue',
  says: 'What is enqueued in a transaction is there when that commits, all of it, and never was where it rolls back',
  run: async (scene) => {
    const seen = await inTransaction(scene, 'commit')
    expectSame('jobs after a commit', Object.keys(await scene.statuses()).length, labels.length)
    await inTransaction(scene, 'rollback')
    expectSame('jobs after one more was rolled back', Object.keys(await scene.statuses()).length, labels.length)
    const isInOrder = seen.join() === labels.join()
    if (scene.stage.home.placement.kind === 'distributed' && !isInOrder) return { verdict: 'absent', reason: disorder }
    expectSame('the jobs of the answer', seen, labels)
    return undefined
  },
}

const disorder =
  'it holds; but the answer of enqueue has the jobs of an array in the order in which the nodes gave them, and not in that of the array'

async function inTransaction(scene: Scene, end: 'commit' | 'rollback'): Promise<string[]> {
  const trx = await scene.until('a transaction', scene.db.startTransaction().execute())
  const jobs = labels.map((label, n) => ({ tenant_id: n % 3, label: end === 'commit' ? label : `${label} more` }))
  try {
    const enqueued = await scene.until('enqueue', enqueueJobs(trx, table, jobs))
    return enqueued.map(({ label }) => label)
  } finally {
    await trx[end]().execute()
  }
}
