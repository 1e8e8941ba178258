import { isPending } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'

/**
 * The distinct priorities among the pending jobs, highest first, each found by one step along the ready index.
 * An `order by priority desc, run_at` would read every job that is not due yet (7,706 buffers against 11 to 26).
 */
export function withPriorityLevels(jobs: Jobs) {
  return jobs.db.withRecursive(`${own.level}(priority)`, (db) =>
    db
      .selectFrom(
        db
          .selectFrom(jobs.table)
          .select('priority')
          .where(isPending())
          .orderBy('priority', 'desc')
          .limit(1)
          .as(own.highest),
      )
      .select((eb) => eb.ref(`${own.highest}.priority`).$castTo<number | null>().as('priority'))
      .unionAll(
        db
          .selectFrom(own.level)
          .where(`${own.level}.priority`, 'is not', null)
          .select((eb) =>
            eb
              .selectFrom(jobs.table)
              .select('priority')
              .where(isPending())
              .whereRef('priority', '<', `${own.level}.priority`)
              .orderBy('priority', 'desc')
              .limit(1)
              .as('priority'),
          ),
      ),
  )
}
