import type { EventEmitter } from 'node:events'
import type { Kysely } from 'kysely'
import { createWorker, type Handler, type Job, type Worker, type WorkerOptions } from 'kysely-jobs'
import { onTestFinished } from 'vitest'
import type { DB } from '../../examples/db.js'

export { up as createMailTables } from '../../migrations/005-mail-jobs.js'

/** The tables of the worker's tests, as the generator types them. */
export type MailDatabase = Pick<DB, 'mail_jobs' | 'sent'>

/** A logger that keeps quiet, for tests in which errors are what is tested. */
export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export type MailJob = Job<MailDatabase, 'mail_jobs'>
export type MailHandler = Handler<MailDatabase, 'mail_jobs'>
export type MailWorker = Worker<MailDatabase, 'mail_jobs'>

/** A worker that keeps quiet, looks often for jobs where nothing else is said, and is stopped when its test ends. */
export function mailWorker(
  db: Kysely<MailDatabase>,
  handler: MailHandler,
  options: WorkerOptions<MailJob> = {},
): MailWorker {
  const worker = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  return worker
}

/** The same, started. */
export async function startMailWorker(...made: Parameters<typeof mailWorker>): Promise<MailWorker> {
  const worker = mailWorker(...made)
  await worker.start()
  return worker
}

/** The next event of a worker. Unlike events.once it does not mind error events. */
export function next<Payload>(
  worker: EventEmitter,
  name: string,
  fits: (payload: Payload) => boolean = () => true,
): Promise<Payload> {
  return new Promise((resolve) => {
    const listener = (payload: Payload) => {
      if (!fits(payload)) return
      worker.off(name, listener)
      resolve(payload)
    }
    worker.on(name, listener)
  })
}
