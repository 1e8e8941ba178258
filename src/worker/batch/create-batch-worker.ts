import type { Kysely } from 'kysely'
import type { JobTable, Queryable, SelectedJob, Selection } from '../../schema/job-table.js'
import type { SomeKey } from '../../schema/key-column.js'
import type { ClaimOptions } from '../claim-options.js'
import { Worker } from '../worker.js'
import type { AnyBatchHandler } from './batch-call.js'
import type { BatchHandler } from './batch-handler.js'
import { inBatches } from './batch-handling.js'
import { type BatchWorkerOptions, batchSettingsOf } from './batch-options.js'

/**
 * A worker whose handler takes many jobs at once: for what is cheaper in bulk. It does nothing until `start()`. Held by
 * transactions, what its handler writes through `trx` and the completion of its jobs are one commit.
 *
 * @throws WorkerOptionError, DurationError for options no worker can work with; TypeError for a transaction
 * @example
 * const worker = createBatchWorker(db, 'events', async (jobs, { trx }) => {
 *   await trx.insertInto('daily_visits').values(jobs.map(({ page, day }) => ({ page, day }))).execute()
 * }, { size: 500, hold: 'transaction' })
 */
export function createBatchWorker<
  DB,
  Table extends keyof DB & string,
  const Columns extends Selection<DB, Table> | undefined = undefined,
  Hold extends 'lease' | 'transaction' = 'lease',
  const By extends SomeKey = never,
  const Line extends SomeKey = never,
>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  handler: BatchHandler<DB, Table, SelectedJob<DB, Table, Columns>, NoInfer<Hold>>,
  options: BatchWorkerOptions<SelectedJob<DB, Table, Columns>, Columns, Hold> & ClaimOptions<DB, Table, By, Line>,
): Worker<DB, Table, SelectedJob<DB, Table, Columns>> {
  if (typeof handler !== 'function') throw new TypeError(`createBatchWorker: the handler of ${table} is no function`)
  if (db.isTransaction) throw new TypeError(`createBatchWorker: ${table} was given a transaction; a worker outlives it`)
  const pool = db as unknown as Kysely<DB> // of the three handles, the one that is no transaction
  // below the door a job is an object and a context fits any database: the types of both were checked here
  return new Worker(pool, table as Table, inBatches(handler as unknown as AnyBatchHandler), batchSettingsOf(options))
}
