import { isLeaseExpired } from '../predicates/lease.js'
import type { Duration } from '../schema/duration.js'
import { type Jobs, jobsOf, type KnownOfTable } from '../schema/job-database.js'
import type { Job, JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { unlessUndone } from '../schema/undone.js'
import { type Choice, chosen, type RowKey } from './fenced.js'
import { rescueLimit } from './rescue.js'
import { type Asked, returnedOf } from './returned.js'

/**
 * Running jobs whose lease has expired, but for those of `except`: what a rescue would take, for those who decide row by row.
 * With the table's `key`, where `inspectJobTable` tells one, `leaseOf(job)` has the job's.
 * @example const stuck = await findExpired(db, 'send_mail_jobs', { lease: '60s' })
 */
export async function findExpired<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: { readonly lease: Duration; readonly except?: readonly RowKey[] } & KnownOfTable,
): Promise<Job<DB, Table>[]> {
  const jobs = jobsOf(db, table, options)
  return (await expiredJobs(jobs, { ...options, columns: [] })) as Job<DB, Table>[] // rows of the user's table, after the user's plugins
}

/** The same, as a worker asks it. */
export async function expiredJobs(
  jobs: Jobs,
  { lease, except, ...asked }: Asked & Pick<Choice, 'except'> & { readonly lease: Duration },
): Promise<object[]> {
  const { isWhole, list, rowsOf } = returnedOf(jobs, asked)
  const query = chosen(jobs, jobs.db.selectFrom(jobs.table), { except })
    .where(isLeaseExpired(lease))
    .$if(isWhole, (query) => query.selectAll())
    .$if(list.length > 0, (query) => query.select(list))
    .orderBy('locked_by') // as the running index is: with stale statistics the table itself would be read
    .limit(rescueLimit)
  return rowsOf(await unlessUndone(jobs.db, () => query.execute()))
}
