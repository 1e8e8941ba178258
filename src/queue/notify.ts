import { notified } from '../predicates/notice.js'
import { identifyTable } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable } from '../schema/job-table.js'
import { channelName, type TableName } from '../schema/names.js'
import { payloadOf, type Signal } from './signal.js'

/**
 * Wakes a table's workers, however many jobs there are: for a table whose migration said `notify: 'none'`, and for
 * rows that triggers don't see (`COPY` with triggers off, a restored dump).
 *
 * Call it after the commit, with the handle of no transaction. Inside of one it is as true, since Postgres tells only
 * when it commits, but then its commit takes the lock of all notifying commits, as with the triggers (7.3k down to
 * 3.7k commits a second). Nobody is told if the process ends before the call: polling finds the jobs.
 *
 * @example
 * await db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', mails))
 * await notifyWorkers(db, 'mail_jobs')
 */
export async function notifyWorkers<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
): Promise<void> {
  await tellWorkers(jobsOf(db, table), await identifyTable(db, table), { kind: 'due', in: 0 })
}

/** One notification on the table's channel. */
export async function tellWorkers({ db }: Jobs, table: TableName, signal: Signal): Promise<void> {
  await db.selectNoFrom(notified({ channel: channelName(table), payload: payloadOf(signal) }).as('told')).execute()
}
