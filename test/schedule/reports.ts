import type { ColumnType, Generated, Kysely } from 'kysely'
import { sql } from 'kysely'
import { createRunner, createWorker, type RunnerOptions, type ScheduledEvent } from 'kysely-jobs'
import { createJobSchedules, createJobTable } from 'kysely-jobs/migrate'
import { onTestFinished } from 'vitest'

type Time = ColumnType<Date, Date | string | undefined, Date | string>

interface Nine {
  id: Generated<string>
  created_at: Time
  updated_at: Time
  status: Generated<string>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: ColumnType<Date | null, never, Date | null>
  locked_by: string | null
  run_at: Time
}

export interface ReportJobs extends Nine {
  kind: string
  pages: number | null
  scheduled_for: ColumnType<Date | null, Date | string | null | undefined, Date | null>
}

export interface ReportDatabase {
  report_jobs: ReportJobs
  /** Without a column for the slot. */
  mail_jobs: Nine & { to: string }
}

export async function createReportTables(db: Kysely<any>): Promise<void> {
  await createJobTable(db, 'report_jobs', (table) =>
    table
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('pages', 'integer')
      .addColumn('scheduled_for', 'timestamptz'),
  )
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text', (column) => column.notNull()))
  await createJobSchedules(db)
}

export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A runner whose worker does nothing, started, and what it tells of schedules. */
export async function running(db: Kysely<ReportDatabase>, options: Partial<RunnerOptions> = {}) {
  const worker = createWorker(db, 'report_jobs', () => {}, { logger: quiet, pollInterval: '1m' })
  const runner = createRunner(db, { workers: [worker], logger: quiet, ...options })
  const told: ScheduledEvent[] = []
  const errors: unknown[] = []
  runner.on('scheduled', (event) => told.push(event))
  runner.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
  await runner.start()
  return { runner, told, errors }
}

/** Moves the slot for which a schedule waits, by the database's clock. */
export async function setNextSlot(db: Kysely<ReportDatabase>, name: string, ago: string): Promise<void> {
  await sql`update job_schedules set next_slot = date_trunc('minute', now()) - ${ago}::interval where name = ${name}`.execute(
    db,
  )
}

/** The jobs of a schedule's table, by their slots. */
export const reports = (db: Kysely<ReportDatabase>) =>
  db.selectFrom('report_jobs').selectAll().orderBy('scheduled_for').execute()
