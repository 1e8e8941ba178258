import type { EventEmitter } from 'node:events'
import type { Generated, Kysely } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'

/** The table of the worker's tests: a payload of one text. */
export interface MailJobs {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
  to: string
}

export interface MailDatabase {
  mail_jobs: MailJobs
  sent: { job_id: string; attempt: number }
}

export async function createMailTables(db: Kysely<MailDatabase>): Promise<void> {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text', (column) => column.notNull()))
  await db.schema.createTable('sent').addColumn('job_id', 'uuid').addColumn('attempt', 'integer').execute()
}

/** A logger that keeps quiet, for tests in which errors are what is tested. */
export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

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
