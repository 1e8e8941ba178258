import type { Kysely } from 'kysely'
import type { JobTable, Queryable, SelectedJob, Selection } from '../schema/job-table.js'
import type { SomeKey } from '../schema/key-column.js'
import type { ClaimOptions } from './claim-options.js'
import { settingsOf, type WorkerOptions } from './options.js'
import type { AnyHandler } from './run/context.js'
import type { Handler } from './run/handler.js'
import { oneByOne } from './run/handling.js'
import { Worker } from './worker.js'

/**
 * A worker for a job table: `job` is a row of the user's own table, typed by the database's interface.
 * It does nothing until `start()`.
 *
 * @throws WorkerOptionError, DurationError for options no worker can work with; TypeError for a transaction
 * @example
 * const worker = createWorker(db, 'send_mail_jobs', async (job, { signal }) => {
 *   await sendMail(job.user_id, job.template, { signal })
 * }, { concurrency: 10, timeout: '30s', listen: process.env.DATABASE_URL })
 * await worker.start()
 */
export function createWorker<
  DB,
  Table extends keyof DB & string,
  const Columns extends Selection<DB, Table> | undefined = undefined,
  const By extends SomeKey = never,
  const Line extends SomeKey = never,
>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  handler: Handler<DB, Table, SelectedJob<DB, Table, Columns>>,
  options: WorkerOptions<SelectedJob<DB, Table, Columns>, Columns> & ClaimOptions<DB, Table, By, Line> = {},
): Worker<DB, Table, SelectedJob<DB, Table, Columns>> {
  if (typeof handler !== 'function') throw new TypeError(`createWorker: the handler of ${table} is no function`)
  if (db.isTransaction) throw new TypeError(`createWorker: ${table} was given a transaction; a worker outlives it`)
  const pool = db as unknown as Kysely<DB> // of the three handles, the one that is no transaction
  // below the door a job is an object and a context fits any database: the types of both were checked here
  return new Worker(pool, table as Table, oneByOne(handler as unknown as AnyHandler), settingsOf(options))
}
