import { type Generated, type Kysely, sql } from 'kysely'
import type { JobStatus } from 'kysely-jobs'

/** A job table as IHP makes it. The generated interface knows six statuses, not our seventh. */
export interface IhpJobs {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<Exclude<JobStatus, 'job_status_cancelled'>>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
  recipient: string
}

export interface IhpDatabase {
  send_mail_jobs: IhpJobs
}

/** Plain SQL as IHP's generator writes it: no index, no trigger, an enum of six values. */
export async function createIhpTable(db: Kysely<any>): Promise<void> {
  await sql`CREATE TYPE JOB_STATUS AS ENUM ('job_status_not_started', 'job_status_running', 'job_status_failed', 'job_status_timed_out', 'job_status_succeeded', 'job_status_retry')`.execute(
    db,
  )
  await sql`CREATE TABLE send_mail_jobs (
    id UUID DEFAULT gen_random_uuid() PRIMARY KEY NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW() NOT NULL,
    status JOB_STATUS DEFAULT 'job_status_not_started' NOT NULL,
    last_error TEXT DEFAULT NULL,
    attempts_count INT DEFAULT 0 NOT NULL,
    locked_at TIMESTAMP WITH TIME ZONE DEFAULT NULL,
    locked_by UUID DEFAULT NULL,
    run_at TIMESTAMP WITH TIME ZONE DEFAULT NOW() NOT NULL,
    recipient TEXT NOT NULL
  )`.execute(db)
}

const notify = `CREATE OR REPLACE FUNCTION notify_job_queued_send_mail_jobs() RETURNS TRIGGER AS $BODY$BEGIN
    PERFORM pg_notify('job_available_send_mail_jobs', '');
    RETURN new;END;
$BODY$ language plpgsql;`

const createTrigger = (when: 'insert' | 'update') =>
  `CREATE TRIGGER did_${when}_job_send_mail_jobs AFTER ${when.toUpperCase()} ON "send_mail_jobs" FOR EACH ROW WHEN (NEW.status = 'job_status_not_started' OR NEW.status = 'job_status_retry') EXECUTE PROCEDURE notify_job_queued_send_mail_jobs();`

const remakeTrigger = (when: 'insert' | 'update') =>
  `DROP TRIGGER IF EXISTS did_${when}_job_send_mail_jobs ON send_mail_jobs; ${createTrigger(when)}`

/** What IHP runs at each start of a worker, up to 1.6: a trigger per row, and an empty payload. */
export async function createIhpTriggers(db: Kysely<any>): Promise<void> {
  await sql.raw(`BEGIN; ${notify} ${remakeTrigger('insert')} ${remakeTrigger('update')} COMMIT;`).execute(db)
}

/** The same from 1.7 on: the function is replaced, of the triggers only those are made that are missing. */
export async function createMissingIhpTriggers(db: Kysely<any>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select tgname as name from pg_trigger where tgrelid = 'send_mail_jobs'::regclass`.execute(db)
  const there = rows.map(({ name }) => name)
  const missing = (['insert', 'update'] as const).filter((when) => !there.includes(`did_${when}_job_send_mail_jobs`))
  await sql.raw(`BEGIN; ${notify} ${missing.map(createTrigger).join(' ')} COMMIT;`).execute(db)
}
