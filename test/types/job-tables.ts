import type { ColumnType, Generated, Kysely, Selectable } from 'kysely'
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import { type DB, type Equal, holds, type MailJobs, type Status, type Timestamp } from './database.js'

// A job table is any table whose row has the nine columns. Nothing is declared, no type argument is written.

const work = () => {}
declare const db: Kysely<DB>

createWorker(db, 'mail_jobs', work)
createWorker(db, 'report_jobs', work)
holds<Equal<JobTableName<DB>, 'mail_jobs' | 'report_jobs'>>()
holds<Equal<Job<DB, 'mail_jobs'>, Readonly<Selectable<DB['mail_jobs']>>>>()

// A table that is none does not compile, and the compiler says which columns keep it from being one.

type Changed<Columns> = Omit<MailJobs, keyof Columns> & Columns

interface Odd {
  unlocked: Omit<MailJobs, 'locked_by'>
  plain: { id: string; locked_by: string | null; lockers: number }
  textual: Changed<{ attempts_count: Generated<string> }>
  numeric: Changed<{ run_at: ColumnType<number> }>
  flagged: Changed<{ id: Generated<boolean>; locked_by: number | null }>
  locked: Changed<{ locked_at: Timestamp }>
  erring: Changed<{ last_error: string }>
  final: Changed<{ status: Generated<Exclude<Status, 'job_status_retry'>> }>
  renamed: Changed<{ status: 'new' | 'running' | 'job_status_failed' }>
  seed: Changed<{ status: Generated<Exclude<Status, 'job_status_cancelled'>> }>
  idless: Changed<{ id: string | null; attempts_count: Generated<number | null> }>
  counted: Changed<{ attempts_count: Generated<bigint>; status: Generated<number> }>
}
declare const odd: Kysely<Odd>

// @ts-expect-error Argument of type '"unlocked"' is not assignable to parameter of type '"'unlocked' is not a job table: column 'locked_by' is missing"'.
createWorker(odd, 'unlocked', work)
// @ts-expect-error 'plain' is not a job table: column 'created_at' is missing, column 'updated_at' is missing, column 'status' is missing, column 'last_error' is missing, column 'attempts_count' is missing, column 'locked_at' is missing, column 'run_at' is missing"'.
createWorker(odd, 'plain', work)
// @ts-expect-error "'textual' is not a job table: column 'attempts_count' must read as a number"
createWorker(odd, 'textual', work)
// @ts-expect-error "'numeric' is not a job table: column 'run_at' must read as a Date, a string or an object"
createWorker(odd, 'numeric', work)
// @ts-expect-error "'flagged' is not a job table: column 'id' must read as a string, a number or a bigint, column 'locked_by' must read as a string or null"
createWorker(odd, 'flagged', work)
// @ts-expect-error "'locked' is not a job table: column 'locked_at' must be nullable"
createWorker(odd, 'locked', work)
// @ts-expect-error "'erring' is not a job table: column 'last_error' must be nullable"
createWorker(odd, 'erring', work)
// @ts-expect-error "'final' is not a job table: column 'status' lacks 'job_status_retry'"
createWorker(odd, 'final', work)
// @ts-expect-error "'renamed' is not a job table: column 'status' lacks 'job_status_not_started', 'job_status_running', 'job_status_timed_out', 'job_status_succeeded', 'job_status_retry'"
createWorker(odd, 'renamed', work)
// @ts-expect-error "'idless' is not a job table: column 'id' must not be nullable, column 'attempts_count' must not be nullable"
createWorker(odd, 'idless', work)
// @ts-expect-error "'counted' is not a job table: column 'status' must read as a string or an enum of strings, column 'attempts_count' must read as a number"
createWorker(odd, 'counted', work)
createWorker(odd, 'seed', work)
holds<Equal<JobTableName<Odd>, 'seed'>>()

// A name the database does not have: the compiler lists its job tables.

// @ts-expect-error Argument of type '"jobs"' is not assignable to parameter of type '"mail_jobs" | "report_jobs"'
createWorker(db, 'jobs', work)
// @ts-expect-error '"mail_job"' is not assignable to parameter of type '"mail_jobs" | "report_jobs"'.
createWorker(db, 'mail_job', work)
// @ts-expect-error "'users' is not a job table: column 'updated_at' is missing
createWorker({} as Kysely<Pick<DB, 'users'>>, 'jobs', work)

// Every door says it.

// @ts-expect-error Argument of type '"users"' is not assignable to parameter of type '"'users' is not a job table: column 'updated_at' is missing, column 'status' is missing,
enqueue(db, 'users', { email: 'ann@example.org' })
// @ts-expect-error Argument of type '"jobs"' is not assignable to parameter of type '"mail_jobs" | "report_jobs"'
enqueue(db, 'jobs', { user_id: 'ann', template: 'welcome' })
