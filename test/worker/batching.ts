import { type Kysely, sql } from 'kysely'
import { type BatchHandler, type BatchWorkerOptions, createBatchWorker, enqueue } from 'kysely-jobs'
import { onTestFinished } from 'vitest'
import { manyOthers } from './holding.js'
import { type MailDatabase, type MailJob, type MailWorker, next, quiet } from './mail-jobs.js'

export type BatchHold = 'lease' | 'transaction'
export type MailBatchHandler<Hold = 'lease'> = BatchHandler<MailDatabase, 'mail_jobs', MailJob, Hold>
export type MailBatchOptions<Hold extends BatchHold = 'lease'> = Partial<BatchWorkerOptions<MailJob, undefined, Hold>>

/** A worker whose handler takes batches of ten; it keeps quiet, looks often for jobs, and is stopped when its test ends. */
export function batchWorker<const Hold extends BatchHold = 'lease'>(
  db: Kysely<MailDatabase>,
  handler: MailBatchHandler<Hold>,
  options: MailBatchOptions<Hold> = {},
): MailWorker {
  const all = { logger: quiet, pollInterval: '20ms', size: 10, ...options } as const
  const worker = createBatchWorker(db, 'mail_jobs', handler, all)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  return worker
}

/** Who handles batches in transactions: at first each in one that follows its claim, later in the one that claims them. */
export type StartBatches = (
  db: Kysely<MailDatabase>,
  handler: MailBatchHandler<'transaction'>,
  options?: MailBatchOptions<'transaction'>,
) => Promise<Batches>

export interface Batches {
  readonly worker: MailWorker
  /** What it told of. */
  readonly errors: string[]
}

export const startNew: StartBatches = async (db, handler, options) => {
  const worker = batchWorker(db, handler, { hold: 'transaction', ...options })
  const errors = errorsOf(worker)
  await worker.start()
  return { worker, errors }
}

export const startTried: StartBatches = async (db, handler, options) => {
  const worker = batchWorker(db, (jobs, context) => (jobs[0].to === 'warm' ? undefined : handler(jobs, context)), {
    hold: 'transaction',
    ...options,
  })
  const errors = errorsOf(worker)
  let warm = 1_000
  const warmed = next(worker, 'succeeded', () => --warm === 0)
  await sql.raw(manyOthers).execute(db)
  await worker.start()
  await warmed
  await db.deleteFrom('mail_jobs').where('to', '=', 'warm').execute()
  return { worker, errors }
}

function errorsOf(worker: MailWorker): string[] {
  const errors: string[] = []
  worker.on('error', ({ error, doing }) => errors.push(`${doing}: ${error}`))
  return errors
}

/** What a handler leaves of its jobs, by whatever it writes through. */
export async function send(through: Kysely<MailDatabase>, jobs: readonly MailJob[]): Promise<void> {
  await through
    .insertInto('sent')
    .values(jobs.map(({ id, attempts_count }) => ({ job_id: id, attempt: attempts_count })))
    .execute()
}

/** Jobs that become due together, in this order. */
export async function enqueueTogether(db: Kysely<MailDatabase>, ...names: readonly string[]): Promise<void> {
  const due = Date.now() - 60_000
  await enqueue(
    db,
    'mail_jobs',
    names.map((to, place) => ({ to, run_at: new Date(due + place) })),
  )
}
