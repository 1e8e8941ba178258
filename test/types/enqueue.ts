import type { ControlledTransaction, Insertable, Kysely, Transaction } from 'kysely'
import { enqueue, type Job, type NewJob } from 'kysely-jobs'
import { type DB, type Equal, holds, type ReportJobs, type Status } from './database.js'

declare const db: Kysely<DB>
declare const trx: Transaction<DB>
declare const controlled: ControlledTransaction<DB, ['saved']>
declare const status: Status
declare const users: { id: string }[]
declare const jobs: readonly NewJob<DB, 'mail_jobs'>[]
declare const report: Pick<Insertable<ReportJobs>, 'kind' | 'source'>

/** One row gives its job, rows give their jobs. */
export async function rowsOfTheUsersTable() {
  const one = await enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome' })
  holds<Equal<typeof one, Job<DB, 'mail_jobs'>>>()
  const two = await enqueue(trx, 'mail_jobs', [
    { user_id: 'ann', template: 'welcome', subject: null },
    { user_id: 'ben', template: 'reminder', subject: 'Hi' },
  ])
  holds<Equal<typeof two, Job<DB, 'mail_jobs'>[]>>()
  const many = await enqueue(controlled, 'mail_jobs', jobs, { delay: '5m' })
  holds<Equal<typeof many, Job<DB, 'mail_jobs'>[]>>()
  const each = await enqueue(
    db,
    'mail_jobs',
    users.map(({ id }) => ({ user_id: id, template: 'welcome' as const })), // TypeScript 5.4 needs the `as const`
  )
  holds<Equal<typeof each, Job<DB, 'mail_jobs'>[]>>()
  holds<Equal<Awaited<ReturnType<typeof noRows>>, Job<DB, 'mail_jobs'>[]>>()
}

const noRows = () => enqueue(db, 'mail_jobs', [])

// What is the enqueuer's to set, in any of its forms.
enqueue(db, 'report_jobs', {
  ...report,
  id: '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10',
  run_at: new Date(),
  priority: 3,
  max_attempts: null,
})
enqueue(
  db,
  'report_jobs',
  { kind: 'daily', source: { from: 'table', table: 'users' }, run_at: '2030-01-01' },
  { delay: 500 },
)
const saved: NewJob<DB, 'mail_jobs'> = { user_id: 'ann', template: 'welcome' }
enqueue(db, 'mail_jobs', saved)

// What only the queue writes.
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', status })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', attempts_count: 1 })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', locked_at: new Date() })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', locked_by: 'me' })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', last_error: null })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', created_at: new Date() })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', updated_at: new Date() })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', [{ user_id: 'ann', template: 'welcome', status: 'job_status_retry' }])
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'report_jobs', { ...report, result: '{}' })

const retried = { user_id: 'ann', template: 'welcome' as const, status: 'job_status_retry' }
// @ts-expect-error Types of property 'status' are incompatible.
enqueue(db, 'mail_jobs', retried)
// @ts-expect-error is not assignable to type 'NewRow<MailJobs>'.
enqueue(db, 'mail_jobs', [retried])

// What no job is made of.
// @ts-expect-error Object literal may only specify known properties, but 'usr_id' does not exist in type 'NewRow<MailJobs>'. Did you mean to write 'user_id'?
enqueue(db, 'mail_jobs', { usr_id: 'ann', template: 'welcome' })
// @ts-expect-error Object literal may only specify known properties, but 'subjct' does not exist in type 'NewRow<MailJobs>'. Did you mean to write 'subject'?
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', subjct: 'Hi' })
// @ts-expect-error 'subjct' does not exist in type 'NewRow<MailJobs>'. Did you mean to write 'subject'?
enqueue(db, 'mail_jobs', [{ user_id: 'ann', template: 'welcome', subjct: 'Hi' }])
// @ts-expect-error Property 'template' is missing in type '{ user_id: string; }' but required in type
enqueue(db, 'mail_jobs', [{ user_id: 'ann' }])
// @ts-expect-error 'priority' does not exist in type 'NewRow<MailJobs>'
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', priority: 1 })
// @ts-expect-error Property 'template' is missing in type '{ user_id: string; }' but required in type
enqueue(db, 'mail_jobs', { user_id: 'ann' })
// @ts-expect-error Type '"remnder"' is not assignable to type
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'remnder' })
// @ts-expect-error Type 'null' is not assignable to type 'string'.
enqueue(db, 'mail_jobs', { user_id: null, template: 'reminder' })
// @ts-expect-error 'delays' does not exist in type 'EnqueueOptions'. Did you mean to write 'delay'?
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'reminder' }, { delays: '5m' })
// @ts-expect-error Type '"5min"' is not assignable to type 'number | `${number}
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'reminder' }, { delay: '5min' })

/** A value that may be undefined is as good as none, for columns that need none. */
export const maybe = (subject: string | undefined) =>
  enqueue(db, 'mail_jobs', { user_id: 'a', template: 'welcome', subject })

// A row and rows are told apart where they are given, not where they are declared.
declare const rowOrRows: NewJob<DB, 'mail_jobs'> | NewJob<DB, 'mail_jobs'>[]
// @ts-expect-error is not assignable to parameter of type
enqueue(db, 'mail_jobs', rowOrRows)
