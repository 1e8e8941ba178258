import { type Kysely, sql, type Transaction } from 'kysely'
import {
  type BulkProgress,
  type CancelOptions,
  type ChangedJobs,
  cancelJobs,
  deleteJobs,
  type JobSelection,
  type RetryOptions,
  rescheduleJobs,
  retryJobs,
} from 'kysely-jobs'
import { type DB, type Equal, holds, type MailJobs } from './database.js'

declare const db: Kysely<DB>
declare const trx: Transaction<DB>
declare const signal: AbortSignal
declare const isDry: boolean

const mine: JobSelection<DB['mail_jobs']> = { where: (eb) => eb('user_id', '=', 'ann') }

/** In earnest they give ids, as a dry run a number; where only the run decides, one of both. */
export async function results() {
  const deleted = await deleteJobs(db, 'mail_jobs', mine)
  holds<Equal<typeof deleted, ChangedJobs>>()
  const inEarnest = await retryJobs(trx, 'mail_jobs', { ids: deleted }, { dryRun: false, delay: '1h' })
  holds<Equal<typeof inEarnest, ChangedJobs>>()
  const counts = await Promise.all([
    retryJobs(db, 'mail_jobs', mine, { dryRun: true, delay: '1h' }),
    cancelJobs(db, 'mail_jobs', mine, { dryRun: true, reason: 'asked for' }),
    deleteJobs(db, 'mail_jobs', mine, { dryRun: true }),
    rescheduleJobs(db, 'mail_jobs', mine, { dryRun: true, delay: 0 }),
    rescheduleJobs(db, 'report_jobs', { ids: [] }, { priority: 5, dryRun: true }),
  ])
  holds<Equal<typeof counts, [number, number, number, number, number]>>()
  const either = await cancelJobs(db, 'mail_jobs', mine, { dryRun: isDry })
  holds<Equal<typeof either, number | ChangedJobs>>()
}

/** Options that stand elsewhere, as those of any run in earnest. */
export async function options() {
  const retry: RetryOptions<MailJobs> = { delay: '1h', signal }
  const cancel: CancelOptions = { reason: 'asked for' }
  const retried = await retryJobs(db, 'mail_jobs', mine, retry)
  const cancelled = await cancelJobs(db, 'mail_jobs', mine, cancel)
  holds<Equal<typeof retried, typeof cancelled>>()
}

/** Progress, time and priority. */
export async function inEarnest() {
  await deleteJobs(db, 'mail_jobs', mine, {
    signal,
    onProgress: async (progress) => {
      holds<Equal<typeof progress, BulkProgress>>()
    },
  })
  await rescheduleJobs(db, 'mail_jobs', mine, { to: new Date(), onProgress: ({ changed, total }) => changed / total })
  await rescheduleJobs(db, 'mail_jobs', mine, { to: 'infinity', signal })
  await rescheduleJobs(db, 'report_jobs', { where: (eb) => eb('kind', '=', 'daily') }, { priority: 5 })
  await rescheduleJobs(db, 'report_jobs', { where: (eb) => eb.lit(true) }, { priority: 5, delay: '1h' })
}

/** Conditions are over the table's own columns, and may ask other tables. */
export async function conditions() {
  await deleteJobs(db, 'mail_jobs', {
    where: (eb) =>
      eb.and([eb('job.template', '=', 'welcome'), eb('subject', 'is', null), eb('run_at', '<', new Date())]),
  })
  const gone = db.selectFrom('users').select('id').where('email', 'like', '%@example.com')
  await cancelJobs(db, 'mail_jobs', { where: (eb) => eb('user_id', 'in', gone) })
  const sameUser = db.selectFrom('users').select('id').where('id', '=', sql.ref<string>('job.user_id'))
  await deleteJobs(db, 'mail_jobs', { where: (eb) => eb.not(eb.exists(sameUser)) })
}

/** A handle that knows no tables knows no columns. */
declare const anything: Kysely<any>
rescheduleJobs(anything, 'jobs', { where: (eb) => eb('user_id', '=', 3) }, { priority: 5, delay: '1h' })
deleteJobs(anything, 'jobs', { ids: [3] }, { dryRun: true })

// A column that is not there, and a value that it can't have.

// @ts-expect-error is not assignable to parameter of type 'ReferenceExpression<{ job: MailJobs; }, "job">'.
deleteJobs(db, 'mail_jobs', { where: (eb) => eb('usr_id', '=', 'ann') })
// @ts-expect-error Argument of type '"welcom"' is not assignable to parameter of type
deleteJobs(db, 'mail_jobs', { where: (eb) => eb('template', '=', 'welcom') })
// @ts-expect-error Argument of type '"soon"' is not assignable to parameter of type
rescheduleJobs(db, 'report_jobs', { where: (eb) => eb('priority', '=', 'soon') }, { delay: '1h' })
// @ts-expect-error is not assignable to parameter of type 'ReferenceExpression<{ job: ReportJobs; }, "job">'.
rescheduleJobs(db, 'report_jobs', { where: (eb) => eb('user_id', '=', 'ann') }, { delay: '1h' })
// @ts-expect-error "'users' is not a job table: column 'updated_at' is missing
deleteJobs(db, 'users', { ids: ['a'] })

declare const numbers: Kysely<{ leavers: { code: number } }>
// @ts-expect-error is not assignable to parameter of type
cancelJobs(db, 'mail_jobs', { where: (eb) => eb('user_id', 'in', numbers.selectFrom('leavers').select('code')) })

// Jobs are picked in one way.

// @ts-expect-error is not assignable to parameter of type 'JobSelection<MailJobs>'.
deleteJobs(db, 'mail_jobs', { ids: ['a'], where: (eb) => eb.lit(true) })
// @ts-expect-error Argument of type '{}' is not assignable to parameter of type 'JobSelection<MailJobs>'.
deleteJobs(db, 'mail_jobs', {})
// @ts-expect-error Type 'string' is not assignable to type 'readonly JobId[]'.
deleteJobs(db, 'mail_jobs', { ids: 'a' })
// @ts-expect-error Expected 3-4 arguments, but got 2.
deleteJobs(db, 'mail_jobs')

// What can't go together, and why.

// @ts-expect-error is not assignable to type '"a dry run has no chunks: leave onProgress out"'.
deleteJobs(db, 'mail_jobs', mine, { dryRun: true, onProgress: () => {} })
// @ts-expect-error is not assignable to type '"a dry run has no chunks: leave signal out"'.
cancelJobs(db, 'mail_jobs', mine, { dryRun: true, signal })
// @ts-expect-error is not assignable to type '"a dry run has no chunks: leave signal out"'.
retryJobs(db, 'mail_jobs', mine, { dryRun: isDry, signal })
// @ts-expect-error is not assignable to type '"give either to or delay"'.
rescheduleJobs(db, 'mail_jobs', mine, { to: new Date(), delay: '1h' })
// @ts-expect-error is not assignable to type '"the table has no column 'priority'"'.
rescheduleJobs(db, 'mail_jobs', mine, { delay: '1h', priority: 5 })
// @ts-expect-error Argument of type '{}' is not assignable to parameter of type
rescheduleJobs(db, 'mail_jobs', mine, {})
// @ts-expect-error Expected 4 arguments, but got 3.
rescheduleJobs(db, 'mail_jobs', mine)

// Options that are not there, or of another kind.

// @ts-expect-error 'dryrun' does not exist in type
deleteJobs(db, 'mail_jobs', mine, { dryrun: true })
// @ts-expect-error 'reason' does not exist in type
deleteJobs(db, 'mail_jobs', mine, { reason: 'the user left' })
// @ts-expect-error Type '"soon"' is not assignable to type
rescheduleJobs(db, 'mail_jobs', mine, { delay: 'soon' })
// @ts-expect-error Type 'string' is not assignable to type 'boolean
deleteJobs(db, 'mail_jobs', mine, { dryRun: 'yes' })
// @ts-expect-error Property 'jobs' does not exist on type 'BulkProgress'.
deleteJobs(db, 'mail_jobs', mine, { onProgress: ({ jobs }) => jobs })
