import type { ReadonlyKysely } from 'kysely/readonly'
import { countJobs, enqueue, retryJobs } from 'kysely-jobs'
import { fetchNextJobs, findExpired, inspectJobTable, jobStates, nextDueAt } from 'kysely-jobs/queue'
import type { DB } from './database.js'

// What only reads takes a handle that only reads (Kysely 0.29 has one); what writes does not.

declare const db: ReadonlyKysely<DB>

export async function reads() {
  await countJobs(db, 'mail_jobs')
  await jobStates(db, 'mail_jobs', ['a'])
  await findExpired(db, 'mail_jobs', { lease: '60s' })
  await nextDueAt(db, 'report_jobs', { columns: ['priority'] })
  await inspectJobTable(db, 'mail_jobs')
  await db.transaction().execute((trx) => countJobs(trx, 'mail_jobs'))
}
// @ts-expect-error "'users' is not a job table: column 'updated_at' is missing
countJobs(db, 'users')
// @ts-expect-error is not assignable to parameter of type 'Queryable<DB>'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome' })
// @ts-expect-error is not assignable to parameter of type 'Queryable<DB>'.
retryJobs(db, 'mail_jobs', { ids: [] })
// @ts-expect-error is not assignable to parameter of type 'Queryable<DB>'.
fetchNextJobs(db, 'mail_jobs', { worker: 'w', limit: 1 })
