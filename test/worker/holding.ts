import { type Kysely, sql } from 'kysely'
import { enqueue, type WorkerOptions } from 'kysely-jobs'
import { type MailDatabase, type MailHandler, type MailWorker, mailWorker, next } from './mail-jobs.js'

/** So many jobs that a fetch brings no others. */
export const manyOthers = `insert into mail_jobs ("to", run_at) select 'warm', now() - interval '1 hour' from generate_series(1, 1000)`

/** Workers of a database that hold jobs by transactions, and jobs for them. */
export function holder(db: Kysely<MailDatabase>) {
  /** A started worker that holds jobs, as it has done a thousand by leases; `errors` has what it told of. */
  const holding = async (handler: MailHandler, options: WorkerOptions = {}) => {
    const worker = mailWorker(db, (job, context) => (job.to === 'warm' ? undefined : handler(job, context)), {
      hold: 'transaction',
      concurrency: 50, // so that a fetch of what waits brings many
      holdFor: '20s',
      ...options,
    })
    const errors: string[] = []
    worker.on('error', ({ error, doing }) => errors.push(`${doing}: ${error}`))
    let warm = 1_000
    const warmed = next(worker, 'succeeded', () => --warm === 0)
    await sql.raw(manyOthers).execute(db)
    await worker.start()
    await warmed
    await db.deleteFrom('mail_jobs').where('status', '=', 'job_status_succeeded').execute()
    return { worker, errors }
  }

  /** Jobs that are held, as they stand behind many others. */
  const enqueueHeld = (...names: readonly string[]) =>
    db.transaction().execute(async (trx) => {
      await sql.raw(manyOthers).execute(trx)
      await enqueue(
        trx,
        'mail_jobs',
        names.map((to) => ({ to })),
      )
    })

  return { holding, enqueueHeld }
}

/** The end of a job, as its worker tells it. */
export const ended = (worker: MailWorker, to: string, by = 'succeeded') =>
  next<{ job: { to: string } }>(worker, by, ({ job }) => job.to === to)
