import { isLeaseExpired } from '../predicates/lease.js'
import { keyText } from '../predicates/rows.js'
import type { Duration } from '../schema/duration.js'
import { jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { withoutKey } from '../schema/row.js'
import { chosen, type RowKey } from './fenced.js'
import { rescueLimit } from './rescue.js'

/**
 * Running jobs whose lease has expired, but for those of `except`: what a rescue would take, for those who decide row by row.
 * With the table's `key`, where `inspectJobTable` tells one, `leaseOf(job)` has the job's.
 * @example const stuck = await findExpired(db, 'send_mail_jobs', { lease: '60s' })
 */
export async function findExpired<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly lease: Duration; readonly except?: readonly RowKey[]; readonly key?: string | undefined },
): Promise<Job<DB, Table>[]> {
  const { lease, key, except } = options
  const jobs = jobsOf(db, table, key)
  const rows = await chosen(jobs, jobs.db.selectFrom(jobs.table).selectAll(), { except })
    .where(isLeaseExpired(lease))
    .$if(key !== undefined, (query) => query.select(keyText(key ?? '').as(own.key)))
    .orderBy('locked_by') // as the running index is: with stale statistics the table itself would be read
    .limit(rescueLimit)
    .execute()
  return (key === undefined ? rows : rows.map(withoutKey)) as object[] as Job<DB, Table>[] // rows of the user's table, after the user's plugins
}
