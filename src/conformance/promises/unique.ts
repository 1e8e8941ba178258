import { randomUUID } from 'node:crypto'
import { createUniqueIndex, dropUniqueIndex } from '../../migrate/unique-indexes.js'
import { enqueue } from '../../queue/enqueue.js'
import { settle } from '../../queue/settle.js'
import { expectSame } from '../broken.js'
import { isScattered, type Promised } from '../promised.js'
import type { Scene } from '../scene.js'
import { table } from '../suite-table.js'

const columns = ['tenant_id', 'once'] as const
const callers = 8

export const unique: Promised = {
  name: 'unique',
  says: 'Of unique jobs one stands, however many are enqueued at the same time, until it has ended',
  absent: (home) =>
    isScattered(home)
      ? 'jobs are unique by columns of which the table is distributed by one, and it is by none of those of the suite'
      : undefined,
  run: async (scene) => {
    await scene.until('a unique index', createUniqueIndex(scene.db, table, columns))
    try {
      await tryIt(scene)
    } finally {
      await dropUniqueIndex(scene.db, table, columns)
    }
    return undefined
  },
}

async function tryIt(scene: Scene): Promise<void> {
  const { db, stage } = scene
  const call = (handle: Scene['db']) =>
    enqueue(handle, table, { tenant_id: 1, label: 'unique', once: 'only one' }, { unique: columns })
  const calls = Array.from({ length: callers }, (_, n) => call(n % 2 === 0 ? db : stage.other))
  const answers = await scene.until('enqueues of the same job at once', Promise.all(calls))
  expectSame('jobs that stand', new Set(answers.map(({ job }) => job.id)).size, 1)
  expectSame('answers that say it is new', answers.filter(({ isNew }) => isNew).length, 1)
  const worker = randomUUID()
  const { lease } = await scene.claimOne(worker)
  expectSame('one more while it runs, new', (await call(db)).isNew, false)
  await settle(db, table, [{ ...lease, kind: 'succeeded' }], { worker, ...stage.known })
  expectSame('one more when it has ended, new', (await call(db)).isNew, true)
}
