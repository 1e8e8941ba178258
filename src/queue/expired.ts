import { job } from '../predicates/column.js'
import { isLeaseExpired } from '../predicates/lease.js'
import { hasIdIn } from '../predicates/rows.js'
import type { JobId } from '../schema/columns.js'
import type { Duration } from '../schema/duration.js'
import { jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { rescueLimit } from './rescue.js'

/**
 * Running jobs whose lease has expired, but for those of `except`: what a rescue would take, for those who decide row by row.
 * @example const stuck = await findExpired(db, 'send_mail_jobs', { lease: '60s' })
 */
export async function findExpired<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly lease: Duration; readonly except?: readonly JobId[] },
): Promise<Job<DB, Table>[]> {
  const jobs = jobsOf(db, table)
  const rows = await jobs.db
    .selectFrom(jobs.table)
    .selectAll()
    .where(isLeaseExpired(options.lease))
    .$if(!!options.except?.length, (query) => query.where(job.not(hasIdIn(options.except ?? []))))
    .orderBy('locked_by') // as the running index is: with stale statistics the table itself would be read
    .limit(rescueLimit)
    .execute()
  return rows as object[] as Job<DB, Table>[] // rows of the user's table, after the user's plugins
}
