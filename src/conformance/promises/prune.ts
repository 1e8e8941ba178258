import { cancelJobs } from '../../queue/cancel.js'
import { pruneJobs } from '../../queue/prune.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

export const prune: Promised = {
  name: 'prune',
  says: 'What has ended long ago is deleted, and nothing else',
  run: async (scene) => {
    const jobs = await scene.enqueue(3, (n) => ({ label: ['ended long ago', 'ended now', 'waits'][n] ?? '' }))
    const ids = jobs.filter(({ label }) => label !== 'waits').map(({ id }) => id)
    await scene.until('a cancel', cancelJobs(scene.db, table, { ids }))
    const long = new Date(Date.now() - 86_400_000)
    await scene.db
      .updateTable(table)
      .set({ updated_at: long })
      .where('tenant_id', '=', 1)
      .where('label', '=', 'ended long ago')
      .execute()
    expectSame(
      'jobs that were deleted',
      await scene.until('pruneJobs', pruneJobs(scene.db, table, { olderThan: '12h' })),
      1,
    )
    expectSame('jobs that are left', Object.keys(await scene.statuses()), ['ended now', 'waits'])
    return undefined
  },
}
