import { createKeyIndexes } from '../../migrate/key-indexes.js'
import { WorkerOptionError } from '../../worker/option-values.js'
import { expectAtMost, expectSame } from '../broken.js'
import { endedJobs } from '../events.js'
import type { Promised } from '../promised.js'
import type { Scene, SuiteJob } from '../scene.js'
import { table } from '../suite-table.js'

const columns = ['tenant_id']
const limit = { by: 'tenant_id', max: 2 } as const
const jobs = 24

export const limits: Promised = {
  name: 'limits',
  says: 'At most so many jobs of a key run at the same time, over all workers',
  run: async (scene) => {
    // They stay: a table that is distributed by the column has them of itself.
    await scene.until('the indexes of keys', createKeyIndexes(scene.db, table, columns))
    try {
      await tryIt(scene)
    } catch (error) {
      if (!(error instanceof WorkerOptionError)) throw error
      return { verdict: 'absent', reason: error.message } // a worker that can't does not start, and says why
    }
    return undefined
  },
}

async function tryIt(scene: Scene): Promise<void> {
  await scene.enqueue(jobs, (n) => ({ tenant_id: n % 2 }))
  let most = 0
  const handler = async ({ tenant_id }: SuiteJob) => {
    most = Math.max(most, await runningOf(scene, tenant_id))
  }
  const workers = [scene.worker(handler, { limit }), scene.worker(handler, { limit, db: scene.stage.other })]
  const done = endedJobs(workers, jobs)
  await scene.start(...workers)
  await scene.until(`the outcomes of ${jobs} jobs of two keys`, done)
  expectAtMost('jobs of a key that ran at the same time', most, limit.max)
  expectSame(
    'statuses when all have run',
    [...new Set(Object.values(await scene.statuses()))],
    ['job_status_succeeded'],
  )
}

async function runningOf({ db }: Scene, tenant: number): Promise<number> {
  const running = db.selectFrom(table).select((eb) => eb.fn.countAll().as('running'))
  const { running: count } = await running
    .where('tenant_id', '=', tenant)
    .where('status', '=', 'job_status_running')
    .executeTakeFirstOrThrow()
  return Number(count)
}
