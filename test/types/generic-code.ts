import type { Kysely, Transaction } from 'kysely'
import {
  createWorker,
  enqueue,
  type Handler,
  type Job,
  type JobTable,
  type JobTableName,
  type NewJob,
  type Worker,
} from 'kysely-jobs'
import { type DB, type Equal, holds, type MailJobs, type Nine } from './database.js'

declare const db: Kysely<DB>
declare const trx: Transaction<DB>

// Code that is itself generic over the database can't resolve a table: what it is depends on its caller.

export function unresolved<Tables extends { mail_jobs: MailJobs }>(handle: Kysely<Tables>) {
  // @ts-expect-error Argument of type '"mail_jobs"' is not assignable to parameter of type
  createWorker(handle, 'mail_jobs', () => {})
}

// First way out: ask for the table as our own doors do, and hand it on. The caller's table is checked where it is named.

function loudWorker<Tables, Table extends keyof Tables & string>(
  handle: Kysely<Tables>,
  table: JobTable<Tables, Table>,
  handler: Handler<Tables, Table>,
): Worker<Tables, Table> {
  const worker = createWorker(handle, table, handler)
  return worker.on('failed', ({ job, error }) => console.error(table, job, error))
}
function enqueueSoon<Tables, Table extends keyof Tables & string>(
  handle: Kysely<Tables> | Transaction<Tables>,
  table: JobTable<Tables, Table>,
  job: NewJob<Tables, Table>,
): Promise<Job<Tables, Table>> {
  return enqueue(handle, table, job, { delay: '5m' })
}
function enqueueAll<Tables, Table extends keyof Tables & string>(
  handle: Kysely<Tables>,
  table: JobTable<Tables, Table>,
  jobs: readonly NewJob<Tables, Table>[],
): Promise<Job<Tables, Table>[]> {
  return enqueue(handle, table, jobs)
}
const worker = loudWorker(db, 'mail_jobs', (job) => holds<Equal<typeof job, Job<DB, 'mail_jobs'>>>())
holds<Equal<typeof worker, Worker<DB, 'mail_jobs'>>>()
enqueueSoon(trx, 'mail_jobs', { user_id: 'ann', template: 'welcome' })
// @ts-expect-error "'users' is not a job table: column 'updated_at' is missing
loudWorker(db, 'users', () => {})
// @ts-expect-error Type '"welcom"' is not assignable to type '"
enqueueSoon(db, 'mail_jobs', { user_id: 'ann', template: 'welcom' })

enqueueAll(db, 'mail_jobs', [{ user_id: 'ann', template: 'welcome' }])
// @ts-expect-error Type '"welcom"' is not assignable to type '"
enqueueAll(db, 'mail_jobs', [{ user_id: 'ann', template: 'welcom' }])

// With one database and any of its job tables: the same parameter. The type parameter can be kept to the job tables.

function enqueueUrgently<Table extends JobTableName<DB>>(
  table: JobTable<DB, Table>,
  job: NewJob<DB, Table>,
): Promise<Job<DB, Table>> {
  return enqueue(db, table, job, { delay: 0 })
}
enqueueUrgently('mail_jobs', { user_id: 'ann', template: 'welcome' })
// @ts-expect-error Argument of type '"users"' is not assignable to parameter of type
enqueueUrgently('users', { email: 'ann@example.org' })

/** A plain type parameter needs one word: `as`. What it stands for is a job table by its constraint. */
function workOn<Table extends JobTableName<DB>>(table: Table, handler: Handler<DB, Table>): Worker<DB, Table> {
  return createWorker(db, table as JobTable<DB, Table>, handler)
}
const onMail = workOn('mail_jobs', (job) => holds<Equal<typeof job, Job<DB, 'mail_jobs'>>>())
holds<Equal<typeof onMail, Worker<DB, 'mail_jobs'>>>()
// @ts-expect-error Argument of type '"users"' is not assignable to parameter of type
workOn('users', () => {})

// Second way out: a library with a table of its own names its own interface; any handle is assigned to it.

interface AuditTables {
  audit_jobs: Nine & { actor: string }
}
export function auditWorker(handle: Kysely<any>) {
  const audit: Kysely<AuditTables> = handle
  return createWorker(audit, 'audit_jobs', (job) => holds<Equal<typeof job, Job<AuditTables, 'audit_jobs'>>>())
}
auditWorker(db)
