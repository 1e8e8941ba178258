import type { ControlledTransaction, Kysely, Selectable, Transaction } from 'kysely'
import {
  cancel,
  createRunner,
  createWorker,
  exponential,
  type Handler,
  type Job,
  type JobContext,
  type JobTableName,
  type NewJob,
  retryIn,
  snooze,
  type Worker,
} from 'kysely-jobs'
import { type DB, type Equal, holds, type ReportJobs, type Result } from './database.js'

declare const db: Kysely<DB>
declare const others: Transaction<{ pets: { name: string } }>

// The handler's job is a row of the user's own table, and the worker knows both.

const worker = createWorker(db, 'report_jobs', async (job, context) => {
  holds<Equal<typeof job, Readonly<Selectable<ReportJobs>>>>()
  holds<Equal<typeof context, JobContext<DB, 'report_jobs'>>>()
  holds<Equal<typeof context.signal, AbortSignal>>()
  holds<Equal<typeof context.attempt, number>>()
  // @ts-expect-error Cannot assign to 'kind' because it is a read-only property.
  job.kind = 'yearly'
  // @ts-expect-error Property 'knd' does not exist on type
  job.knd
})
holds<Equal<typeof worker, Worker<DB, 'report_jobs'>>>()
holds<Equal<typeof worker.table, 'report_jobs'>>()
holds<Equal<typeof worker.db, Kysely<DB>>>()

/** Unions in a payload narrow, those of a column and those within one. */
createWorker(db, 'report_jobs', (job) => {
  switch (job.source.from) {
    case 'table':
      holds<Equal<typeof job.source.table, string>>()
      // @ts-expect-error Property 'bytes' does not exist on type '{ from: "table"; table: string; }'.
      return job.source.bytes
    case 'file':
      holds<Equal<typeof job.source.bytes, number>>()
      return
    default:
      holds<Equal<typeof job.source, never>>()
  }
  return job.kind === 'daily' ? undefined : holds<Equal<typeof job.kind, 'yearly'>>() && undefined
})

// The types have names, for code that keeps workers and jobs.

interface App {
  readonly mail: Worker<DB, 'mail_jobs'>
  readonly next: Job<DB, 'mail_jobs'>
  readonly saved: NewJob<DB, 'mail_jobs'>
  readonly table: JobTableName<DB>
}
const app = (saved: NewJob<DB, 'mail_jobs'>, next: Job<DB, 'mail_jobs'>): App => ({
  mail: createWorker(db, 'mail_jobs', sendMail),
  next,
  saved,
  table: 'report_jobs',
})
const sendMail: Handler<DB, 'mail_jobs'> = (job) => job.template.length
createRunner(db, { workers: [worker, app({ user_id: 'ann', template: 'welcome' }, {} as Job<DB, 'mail_jobs'>).mail] })

// What a handler returns is checked against `result`, where the table has it.

createWorker(db, 'report_jobs', () => ({ pages: 3 }))
createWorker(db, 'report_jobs', async ({ kind }) => (kind === 'daily' ? { pages: 3 } : null))
createWorker(db, 'report_jobs', async ({ kind }) => {
  if (kind === 'daily') return snooze('5m')
  if (kind === 'yearly') return cancel('no such report')
  return retryIn('1m')
})
createWorker(db, 'report_jobs', () => {})
createWorker(db, 'report_jobs', async ({ max_attempts }) => {
  if (max_attempts !== null) return { pages: max_attempts }
  return undefined
})
createWorker(db, 'mail_jobs', () => ({ anything: true }))
// @ts-expect-error Type 'string' is not assignable to type
createWorker(db, 'report_jobs', () => 'three pages')
// @ts-expect-error Type 'string' is not assignable to type 'number'.
createWorker(db, 'report_jobs', async () => ({ pages: 'three' }))
// @ts-expect-error Type '{ page: number; }' is not assignable to type
createWorker(db, 'report_jobs', async () => ({ page: 3 }))

// `complete` takes a transaction of this database, and the result that the table holds.

createWorker(db, 'report_jobs', async (_job, { complete }) => {
  await db.transaction().execute((trx) => complete(trx, { pages: 3 }))
  const trx: ControlledTransaction<DB, ['drafts']> = {} as ControlledTransaction<DB, ['drafts']>
  await complete(trx)
  // @ts-expect-error Argument of type 'Transaction<{ pets: { name: string; }; }>' is not assignable to parameter of type
  await complete(others)
  // @ts-expect-error Type 'string' is not assignable to type 'number'.
  await complete(trx, { pages: 'three' })
})
createWorker(db, 'report_jobs', async (_job, { complete }) => {
  // @ts-expect-error Argument of type 'Kysely<DB>' is not assignable to parameter of type
  await complete(db, { pages: 3 })
})
createWorker(db, 'mail_jobs', async (_job, { complete }) => {
  await db.transaction().execute((trx) => complete(trx))
  // @ts-expect-error Argument of type '3' is not assignable to parameter of type 'undefined'.
  await db.transaction().execute((trx) => complete(trx, 3))
})
holds<Equal<Parameters<JobContext<DB, 'report_jobs'>['complete']>[1], Result | null | undefined>>()

// Options that are functions get the typed job.

createWorker(db, 'report_jobs', () => {}, {
  maxAttempts: (job) => {
    holds<Equal<typeof job, Job<DB, 'report_jobs'>>>()
    return job.kind === 'daily' ? 2 : 10
  },
  backoff: (attempt, error, job) => {
    holds<Equal<[typeof attempt, typeof error, typeof job], [number, unknown, Job<DB, 'report_jobs'>]>>()
    return job.kind === 'daily' ? '1m' : attempt * 60_000
  },
})
createWorker(db, 'mail_jobs', sendMail, { backoff: exponential({ delay: '1s' }), timeout: '30s', concurrency: 4 })
createWorker(db, 'report_jobs', () => ({ pages: 3 }), { succeeded: 'delete' })
// @ts-expect-error is not assignable to type 'undefined'.
createWorker(db, 'mail_jobs', sendMail, { deleteSucceeded: true })
// @ts-expect-error Type '"always"' is not assignable to type
createWorker(db, 'mail_jobs', sendMail, { succeeded: 'always' })
// @ts-expect-error Type '"delete"' is not assignable to type
createWorker(db, 'mail_jobs', sendMail, { finished: 'delete' })
createWorker(db, 'mail_jobs', sendMail, { succeeded: 'delete', finished: 'archive' })
// @ts-expect-error Property 'kind' does not exist on type
createWorker(db, 'mail_jobs', sendMail, { maxAttempts: ({ kind }) => (kind === 'daily' ? 2 : 10) })
// @ts-expect-error 'concurency' does not exist in type
createWorker(db, 'mail_jobs', sendMail, { concurency: 4 })

// Events have their payloads.

worker.on('succeeded', ({ job, attempt }) => {
  holds<Equal<[typeof job, typeof attempt], [Job<DB, 'report_jobs'>, number]>>()
})
worker.on('claimed', ({ jobs }) => holds<Equal<typeof jobs, readonly Job<DB, 'report_jobs'>[]>>())
worker.on('retry', ({ job, error }) => holds<Equal<[typeof job.kind, typeof error], ['daily' | 'yearly', string]>>())
// @ts-expect-error Argument of type '"suceeded"' is not assignable to parameter of type
worker.on('suceeded', () => {})
