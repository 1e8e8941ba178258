import type { Kysely, SqlBool, Transaction } from 'kysely'
import {
  type ChangedJobs,
  cancelJobs,
  countJobs,
  type Job,
  type JobStatus,
  linear,
  pruneJobs,
  retryJobs,
} from 'kysely-jobs'
import {
  fetchNextJobs,
  hasStatus,
  holdsLease,
  isClaimable,
  isDue,
  isLeaseExpired,
  isRetryDue,
  type JobId,
  jobStates,
  nextDueAt,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { type DB, type Equal, holds } from './database.js'

declare const db: Kysely<DB>
declare const trx: Transaction<DB>
const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'

/** The verbs give the user's own rows, and take conditions over the user's own columns. */
export async function verbs() {
  const jobs = await fetchNextJobs(trx, 'report_jobs', { worker, limit: 10, columns: ['priority', 'started_at'] })
  holds<Equal<typeof jobs, Job<DB, 'report_jobs'>[]>>()
  await settle(db, 'report_jobs', [{ id: 'a', attempt: 1, kind: 'succeeded', result: { pages: 3 } }], {
    worker,
    columns: ['result', 'finished_at', 'errors'],
  })
  await rescue(db, 'report_jobs', { lease: '60s', maxAttempts: 3, columns: ['max_attempts'] })
  await nextDueAt(db, 'report_jobs', { columns: ['priority'] })
  const cancelled = await cancelJobs(db, 'mail_jobs', { where: (eb) => eb('user_id', '=', 'ann') })
  const ids: JobId[] = cancelled
  holds<Equal<typeof cancelled, ChangedJobs>>()
  await retryJobs(db, 'mail_jobs', { ids: [...ids, ...cancelled.refused.map(({ id }) => id)] })
  await retryJobs(db, 'mail_jobs', { where: (eb) => eb.and([eb('job.template', '=', 'welcome'), isDue('job')]) })
  await retryJobs(db, 'mail_jobs', { ids: jobs.map(({ id }) => id) })
  await pruneJobs(db, 'mail_jobs', { olderThan: '30d', statuses: ['job_status_succeeded'] })
  const { statuses } = await countJobs(db, 'mail_jobs')
  holds<Equal<typeof statuses, Readonly<Record<JobStatus, number>>>>()
  await jobStates(db, 'mail_jobs', ['a'])
}

// An option that needs a column does not compile where the table lacks it.

// @ts-expect-error Type '"priority"' is not assignable to type '"the table has no optional column"'.
fetchNextJobs(db, 'mail_jobs', { worker, limit: 10, columns: ['priority'] })
// @ts-expect-error Type '"result"' is not assignable to type '"the table has no optional column"'.
settle(db, 'mail_jobs', [], { worker, columns: ['result'] })
// @ts-expect-error Did you mean '"priority"'?
fetchNextJobs(db, 'report_jobs', { worker, limit: 10, columns: ['prioirty'] })

// Conditions are over the columns of this table.

// @ts-expect-error is not assignable to parameter of type 'ReferenceExpression<{ job: MailJobs; }, "job">'.
cancelJobs(db, 'mail_jobs', { where: (eb) => eb('usr_id', '=', 'ann') })
// @ts-expect-error Argument of type '"welcom"' is not assignable to parameter of type
retryJobs(db, 'mail_jobs', { where: (eb) => eb('template', '=', 'welcom') })
// @ts-expect-error Type '"job_status_running"' is not assignable to type
pruneJobs(db, 'mail_jobs', { olderThan: '30d', statuses: ['job_status_running'] })

/** The predicates are expressions for the user's own queries. */
export async function predicates() {
  const waiting = await db.selectFrom('mail_jobs').select(['id', 'template']).where(isClaimable()).execute()
  holds<Equal<typeof waiting, { id: string; template: 'welcome' | 'reminder' }[]>>()
  await db
    .selectFrom('mail_jobs')
    .innerJoin('users', 'users.id', 'mail_jobs.user_id')
    .select('users.email')
    .where(isLeaseExpired('60s', 'mail_jobs'))
    .where((eb) => eb.or([isDue('mail_jobs'), eb.not(hasStatus(['job_status_retry'], 'mail_jobs'))]))
    .execute()
  await db
    .updateTable('mail_jobs')
    .set({ subject: 'Late' })
    .where(holdsLease({ worker, attempt: 1, ids: ['a'] }))
    .where(isRetryDue(linear({ delay: '30s' })))
    .execute()
}
export async function predicatesAsColumns() {
  const rows = await db
    .selectFrom('mail_jobs')
    .select(['id', isDue().as('is_due'), hasStatus(['job_status_retry']).as('retried')])
    .select(isLeaseExpired('60s').as('is_abandoned'))
    .execute()
  holds<Equal<typeof rows, { id: string; is_due: SqlBool; retried: SqlBool; is_abandoned: SqlBool }[]>>()
}
// @ts-expect-error Type '"job_status_done"' is not assignable to type
hasStatus(['job_status_done'])
