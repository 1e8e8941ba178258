import { isUnlocked } from '../predicates/claimable.js'
import { millisecondsUntil } from '../predicates/clock.js'
import { isPending } from '../predicates/status.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import { withPriorityLevels } from './priority-levels.js'

/**
 * Milliseconds until the next pending job is due, by the database's clock; 0 or less: one is due now; undefined:
 * none waits. One step along the ready index (for each level, with `priority`), whatever the table holds.
 */
export async function nextDueAt<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly columns?: readonly OptionalColumn<DB[Table]>[] } = {},
): Promise<number | undefined> {
  const jobs = jobsOf(db, table)
  const byPriority = new Set<string>(options.columns).has('priority')
  const next = byPriority
    ? await nextOfLevels(jobs).executeTakeFirst()
    : await jobs.db
        .selectFrom(earliest(jobs).as('next'))
        .select((eb) => millisecondsUntil(eb.ref('next.run_at')).as('due'))
        .executeTakeFirst()
  return next?.due ?? undefined
}

function earliest(jobs: Jobs) {
  return jobs.db
    .selectFrom(jobs.table)
    .select('job.run_at')
    .where(isPending('job'))
    .where(isUnlocked('job'))
    .orderBy('job.run_at')
    .limit(1)
}

function nextOfLevels(jobs: Jobs) {
  return withPriorityLevels(jobs)
    .selectFrom('level')
    .innerJoinLateral(
      earliest(jobs)
        .where((eb) => eb('job.priority', '=', eb.ref('level.priority' as 'job.priority'))) // `level` is in scope of a lateral join only
        .as('next'),
      (join) => join.onTrue(),
    )
    .select((eb) => millisecondsUntil(eb.fn.min('next.run_at')).as('due'))
}
