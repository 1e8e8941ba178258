import { isLeaseExpired } from '../predicates/lease.js'
import { type Notice, notified } from '../predicates/notice.js'
import type { Duration } from '../schema/duration.js'
import type { Jobs } from '../schema/job-database.js'
import { nextDue } from './next-due.js'

/** A job table to look at. */
export interface PolledTable {
  readonly jobs: Jobs
  readonly lease: Duration
  /** Its pending jobs are claimed by `priority`, so that its index is read level by level. */
  readonly byPriority: boolean
}

/** What awaits a table's workers. */
export interface Polled {
  /** Milliseconds until the next job is due; null: none waits. */
  readonly due: number | null
  /** There is a job whose lease has expired. */
  readonly expired: boolean
}

/**
 * Looks at any number of tables of one database in one statement, so that an idle process with ten workers asks no
 * more often than one with a single worker. In the order of the tables.
 *
 * @param notices what it notifies on its way
 */
export async function pollTables(
  tables: readonly [PolledTable, ...PolledTable[]],
  notices: readonly Notice[] = [],
): Promise<Polled[]> {
  const [first, ...others] = tables.map(pollOf)
  if (first === undefined) return []
  const told = notices.map((notice) => toldBy(tables[0], notice))
  const rows = await [...others, ...told].reduce((all, one) => all.unionAll(one), first).execute()
  return rows.filter(({ place }) => place >= 0).toSorted((a, b) => a.place - b.place)
}

/** A row that only notifies. */
function toldBy({ jobs }: PolledTable, notice: Notice) {
  return jobs.db.selectNoFrom((eb) => [
    eb.lit<number>(-1).as('place'),
    eb.lit<number | null>(null).as('due'),
    eb(notified(notice), 'is', null).$castTo<boolean>().as('expired'),
  ])
}

function pollOf({ jobs, lease, byPriority }: PolledTable, place: number) {
  // Ordered by what the running index is ordered by: with stale statistics the table itself would be read.
  const expired = jobs.db
    .selectFrom(jobs.table)
    .select((eb) => eb.lit<boolean>(true).as('expired'))
    .where(isLeaseExpired(lease, 'job'))
    .orderBy('job.locked_by')
    .limit(1)
    .$asScalar()
  return jobs.db.selectNoFrom((eb) => [
    eb.lit<number>(place).as('place'),
    nextDue(jobs, byPriority, lease).as('due'),
    eb.fn.coalesce(expired, eb.lit<boolean>(false)).as('expired'),
  ])
}
