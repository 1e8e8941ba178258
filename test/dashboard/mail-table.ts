import { type Kysely, sql } from 'kysely'
import { createJobSchedules, createJobTable } from 'kysely-jobs/migrate'

/** A job table with own columns of each kind, and schedules. */
export async function createMailTable(db: Kysely<any>): Promise<void> {
  await sql`create type mood as enum ('sad', 'fine')`.execute(db)
  await createJobTable(
    db,
    'mail_jobs',
    (table) =>
      table
        .addColumn('to', 'text')
        .addColumn('size', 'integer')
        .addColumn('vip', 'boolean')
        .addColumn('mood', sql`mood`)
        .addColumn('day', 'date')
        .addColumn('sent_at', 'timestamptz')
        .addColumn('owner', 'uuid')
        .addColumn('tags', sql`text[]`)
        .addColumn('payload', 'jsonb')
        .addColumn('bytes', 'bytea'),
    { columns: ['priority', 'max_attempts', 'started_at', 'finished_at'] },
  )
  await createJobSchedules(db)
}

/** Puts jobs into the table, in place of what is there; what ends has ended a minute ago. @returns their ids */
export async function fillMails(
  db: Kysely<any>,
  jobs: readonly Readonly<Record<string, unknown>>[],
): Promise<string[]> {
  await db.deleteFrom('mail_jobs').execute()
  if (jobs.length === 0) return []
  const rows = await db.insertInto('mail_jobs').values(jobs).returning('id').execute()
  return rows.map(({ id }) => id)
}

/** What rows have by their state. */
export const rowsIn = {
  due: {},
  scheduled: { run_at: sql`now() + interval '1 hour'` },
  running: { status: 'job_status_running', locked_at: sql`now()`, locked_by: sql`gen_random_uuid()` },
  retrying: {
    ...{ status: 'job_status_retry', attempts_count: 1, last_error: 'Error: smtp is away' },
    run_at: sql`now() + interval '1 minute'`,
  },
  failed: {
    status: 'job_status_failed',
    attempts_count: 3,
    last_error: 'Error: no such address\n    at send (mail.js:3)',
  },
  timedOut: { status: 'job_status_timed_out', attempts_count: 1 },
  cancelled: { status: 'job_status_cancelled', last_error: 'on request' },
  succeeded: { status: 'job_status_succeeded', attempts_count: 1, finished_at: sql`now()` },
} as const

/** A logger that says nothing: workers would tell that the pools of tests are not guarded. */
export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
