import type { Kysely, Transaction } from 'kysely'
import {
  type BatchHandler,
  type BatchResult,
  cancel,
  createBatchWorker,
  createRunner,
  type Job,
  type JobTable,
  type SelectedJob,
  snooze,
  type Worker,
} from 'kysely-jobs'
import { type DB, type Equal, holds } from './database.js'

declare const db: Kysely<DB>
declare const wide: Kysely<DB & { users: { id: string } }>

// A batch handler gets at least one job, each with the columns of its table.

const mail = createBatchWorker(
  db,
  'mail_jobs',
  (jobs, context) => {
    holds<Equal<typeof jobs, readonly [Job<DB, 'mail_jobs'>, ...Job<DB, 'mail_jobs'>[]]>>()
    holds<Equal<typeof context.signal, AbortSignal>>()
    // @ts-expect-error Property 'trx' does not exist on type 'BatchContext'
    context.trx
  },
  { size: 100 },
)
holds<Equal<typeof mail, Worker<DB, 'mail_jobs', SelectedJob<DB, 'mail_jobs', undefined>>>>()
createRunner(db, { workers: [mail] })

// In a transaction it gets that, typed by the whole database.

createBatchWorker(
  db,
  'mail_jobs',
  async (jobs, { trx }) => {
    holds<Equal<typeof trx, Transaction<DB>>>()
    await trx.updateTable('mail_jobs').set({ subject: 'sent' }).where('id', '=', jobs[0].id).execute()
    // @ts-expect-error Argument of type '"mails"'
    await trx.selectFrom('mails').selectAll().execute()
  },
  { size: 100, hold: 'transaction', onError: 'bisect' },
)

// Options that are left out, or don't go together.

// @ts-expect-error Expected 4 arguments, but got 3.
createBatchWorker(db, 'mail_jobs', () => {})
// @ts-expect-error Property 'size' is missing
createBatchWorker(db, 'mail_jobs', () => {}, { concurrency: 2 })
// @ts-expect-error Type 'string' is not assignable to type 'NothingToUndo'.
createBatchWorker(db, 'mail_jobs', () => {}, { size: 100, onError: 'bisect' })
// @ts-expect-error 'holdFor' does not exist in type 'BatchWorkerOptions<
createBatchWorker(db, 'mail_jobs', () => {}, { size: 100, hold: 'transaction', holdFor: 100 })
// @ts-expect-error 'users' is not a job table: column 'updated_at' is missing
createBatchWorker(wide, 'users', () => {}, { size: 100 })

// With `select` the jobs have the columns that it names.

createBatchWorker(
  db,
  'mail_jobs',
  (jobs) => {
    holds<Equal<(typeof jobs)[0], SelectedJob<DB, 'mail_jobs', ['user_id']>>>()
    return new Map(jobs.map((job) => [job, job.user_id === 'ada' ? undefined : cancel()]))
  },
  { size: 100, select: ['user_id'] },
)
// @ts-expect-error Type '"user"' is not assignable to type
createBatchWorker(db, 'mail_jobs', () => {}, { size: 100, select: ['user'] })

// What it may return: nothing, one outcome of all, one for each, what `Promise.allSettled` gives, or a map.

createBatchWorker(db, 'mail_jobs', () => snooze('5m'), { size: 100 })
createBatchWorker(db, 'mail_jobs', (jobs) => jobs.map(() => new Error('away')), { size: 100 })
createBatchWorker(db, 'mail_jobs', (jobs) => Promise.allSettled(jobs.map(async () => snooze('1h'))), { size: 100 })
createBatchWorker(db, 'mail_jobs', async (jobs) => Promise.allSettled(jobs.map(async () => {})), { size: 100 })
createBatchWorker(db, 'mail_jobs', async (jobs) => Promise.all(jobs.map(async () => {})), { size: 100 })
createBatchWorker(db, 'mail_jobs', (jobs) => new Map(jobs.map(({ id }) => [id, new Error('away')])), { size: 100 })
// @ts-expect-error Type 'string' is not assignable to type
createBatchWorker(db, 'mail_jobs', () => 'done', { size: 100 })
// @ts-expect-error Type '{ pages: number; }' is not assignable to type 'JobOutcome<MailJobs> | Settled<MailJobs>'.
createBatchWorker(db, 'mail_jobs', (jobs) => jobs.map(() => ({ pages: 3 })), { size: 100 })
// @ts-expect-error Type 'number' is not assignable to type 'string | SelectedRow<MailJobs>'.
createBatchWorker(db, 'mail_jobs', (jobs) => new Map(jobs.map((_, place) => [place, undefined])), { size: 100 })

// Where the table has a `result` column, each outcome is what that holds.

createBatchWorker(db, 'report_jobs', (jobs) => jobs.map(() => ({ pages: 3 })), { size: 10 })
createBatchWorker(db, 'report_jobs', (jobs) => Promise.allSettled(jobs.map(async () => ({ pages: 3 }))), { size: 10 })
// @ts-expect-error Type '{ pages: string; }' is not assignable to type 'Result'.
createBatchWorker(db, 'report_jobs', (jobs) => jobs.map(() => ({ pages: 'three' })), { size: 10 })

// A handler may be declared by itself, and in code for any job table.

const handler: BatchHandler<DB, 'mail_jobs'> = async (jobs) => void jobs[0].subject
createBatchWorker(db, 'mail_jobs', handler, { size: 10 })
const inTransaction: BatchHandler<DB, 'mail_jobs', Job<DB, 'mail_jobs'>, 'transaction'> = async (_, { trx }) =>
  void trx.isTransaction
createBatchWorker(db, 'mail_jobs', inTransaction, { size: 10, hold: 'transaction' })
// @ts-expect-error Property 'trx' is missing in type 'BatchContext' but required in type 'BatchTransactionContext<DB>'.
createBatchWorker(db, 'mail_jobs', inTransaction, { size: 10 })

export function anyTable<Any, Table extends keyof Any & string>(
  any: Kysely<Any>,
  table: JobTable<Any, Table>,
  work: BatchHandler<Any, Table>,
) {
  return createBatchWorker<Any, Table>(any, table, work, { size: 10 })
}
holds<Equal<Extract<BatchResult<DB, 'mail_jobs'>, string>, never>>()
