import type { Kysely } from 'kysely'
import { countJobs, createRunner, createWorker, enqueue, healthHandler, type JobTableName, linear } from 'kysely-jobs'
import { dashboard, nodeHandler } from 'kysely-jobs/dashboard'
import { fetchNextJob, watchForJob } from 'kysely-jobs/ihp'
import { metricsHandler } from 'kysely-jobs/metrics'
import { createJobTable } from 'kysely-jobs/migrate'
import { instrument, tracedEnqueue, traceparent } from 'kysely-jobs/otel'
import { guardPool } from 'kysely-jobs/pg'
import { isClaimable, settle } from 'kysely-jobs/queue'
import { type DB, type Equal, holds } from './database.js'

// Something of each entry point, used: test/package/module-settings.test.ts compiles this by many settings.

declare const db: Kysely<DB>
declare const pool: Parameters<typeof guardPool>[0]

const worker = createWorker(
  db,
  'mail_jobs',
  async (job, { complete }) => {
    holds<Equal<typeof job.template, 'welcome' | 'reminder'>>()
    await db.transaction().execute((trx) => complete(trx))
  },
  { backoff: linear({ delay: '30s' }) },
)
export const runner = createRunner(db, { workers: [worker] })
export const handlers = [
  metricsHandler(runner, { db }),
  metricsHandler([worker]),
  healthHandler(runner, { timeout: '1s' }),
]
export const { stop } = instrument(runner, { db, parent: true })
export const active: string | undefined = traceparent()
holds<Equal<JobTableName<DB>, 'mail_jobs' | 'report_jobs'>>()

export async function all() {
  const job = await enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome' })
  const traced = await tracedEnqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome' })
  holds<Equal<typeof traced, typeof job>>()
  const waiting = await db.selectFrom('mail_jobs').select('id').where(isClaimable()).execute()
  await settle(db, 'mail_jobs', [{ id: job.id, attempt: 1, kind: 'succeeded' }], { worker: 'w' })
  await createJobTable(db, 'mail_jobs')
  await watchForJob(db, 'mail_jobs', { listen: guardPool(pool) }, () => fetchNextJob(db, 'mail_jobs', { worker: 'w' }))
  return [waiting, await countJobs(db, 'mail_jobs')]
}
export const pages = nodeHandler(dashboard(db, { tables: ['mail_jobs'], authorize: () => 'read' }))
// @ts-expect-error Argument of type '"mails"' is not assignable to parameter of type '"mail_jobs" | "report_jobs"'
createWorker(db, 'mails', () => {})
// @ts-expect-error Argument of type '"mails"' is not assignable to parameter of type '"mail_jobs" | "report_jobs"'
tracedEnqueue(db, 'mails', {})
// @ts-expect-error Type 'number' is not assignable to type 'string'
tracedEnqueue(db, 'mail_jobs', { user_id: 5, template: 'welcome' })
// @ts-expect-error Type 'number' is not assignable to type 'InstrumentedWorker'
instrument([1])
