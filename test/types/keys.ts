import type { Kysely } from 'kysely'
import { type ClaimOptions, createBatchWorker, createWorker, limitJobs, listLimits } from 'kysely-jobs'
import type { DB as Base, Nine } from './database.js'

interface DB extends Base {
  tenant_jobs: Nine & { tenant_id: number; account: string; most: number; note: string | null; facts: { a: number } }
  bare_jobs: Nine & { note: string | null }
}

declare const db: Kysely<DB>

createWorker(db, 'tenant_jobs', (job) => console.log(job.tenant_id), {
  limit: { by: 'tenant_id', max: 2 },
  concurrency: 4,
})
createWorker(db, 'tenant_jobs', () => {}, { limit: { max: 20 }, fairBy: 'tenant_id' })
createWorker(db, 'tenant_jobs', () => {}, { fifo: ['tenant_id', 'account'], onFailure: 'block', select: ['account'] })
createBatchWorker(db, 'tenant_jobs', () => {}, { size: 10, fairBy: 'account' })

// @ts-expect-error Type '"status"' is not assignable to type '"'status' is the queue's; a key is of columns of your own"
createWorker(db, 'tenant_jobs', () => {}, { fifo: 'status' })
// @ts-expect-error Type '"note"' is not assignable to type '"'note' may be null, and a key never is"
createWorker(db, 'tenant_jobs', () => {}, { fairBy: 'note' })
// @ts-expect-error "'facts' holds no text, number, boolean or date, as a key does"
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'facts', max: 2 } })
// @ts-expect-error Type '"template"' is not assignable to type '"
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'template', max: 2 } })
// @ts-expect-error Property 'max' is missing
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'tenant_id' } })
// @ts-expect-error '"stop"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { fifo: 'tenant_id', onFailure: 'stop' })
// @ts-expect-error the table has no column of its own that is never null and holds a text, a number, a boolean or a date
createWorker(db, 'bare_jobs', () => {}, { fifo: 'tenant_id' })
// @ts-expect-error "'note' may be null, and a key never is"
createWorker(db, 'tenant_jobs', () => {}, { fifo: ['tenant_id', 'note'] })
// @ts-expect-error is not assignable to type '"needs the column of the line: fifo: '...'"'.
createWorker(db, 'tenant_jobs', () => {}, { fairBy: 'tenant_id', onFailure: 'block' })
// @ts-expect-error "'facts' holds no text, number, boolean or date, as a key does"
createBatchWorker(db, 'tenant_jobs', () => {}, { size: 10, fairBy: 'facts' })

/** Options that are put together elsewhere go on as they are. */
export function tenantWorker(options: ClaimOptions<DB, 'tenant_jobs'>, line: 'tenant_id' | undefined) {
  createWorker(db, 'tenant_jobs', () => {}, options)
  createBatchWorker(db, 'tenant_jobs', () => {}, { size: 10, ...options })
  return createWorker(db, 'tenant_jobs', (job) => console.log(job.note), {
    ...{ fifo: line, onFailure: 'continue', maxAttempts: (job) => job.tenant_id },
    where: (eb) => eb('tenant_id', '=', 5),
  })
}

createWorker(db, 'tenant_jobs', () => {}, { limit: { by: ['tenant_id', 'account'], max: 'most' } })
createWorker(db, 'tenant_jobs', () => {}, {
  rate: { by: 'tenant_id', max: 100, per: '1m', burst: 10 },
  limit: { max: 5 },
})
createBatchWorker(db, 'tenant_jobs', () => {}, { size: 10, rate: { max: 100, per: 1000 } })
limitJobs(db, 'tenant_jobs', { where: { tenant_id: 5 }, max: 10 })
limitJobs(db, 'tenant_jobs', { max: undefined })
listLimits(db, 'tenant_jobs').then(([limit]) => limit?.max satisfies number | undefined)

// @ts-expect-error Type '"account"' is not assignable to type 'number | "
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'tenant_id', max: 'account' } })
// @ts-expect-error Type '{ max: "most"; }' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { limit: { max: 'most' } })
// @ts-expect-error Property 'per' is missing
createWorker(db, 'tenant_jobs', () => {}, { rate: { max: 100 } })
// @ts-expect-error '"1 minute"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { rate: { max: 100, per: '1 minute' } })
// @ts-expect-error "'note' may be null, and a key never is"
createWorker(db, 'tenant_jobs', () => {}, { rate: { max: 100, per: '1m', by: 'note' } })
// @ts-expect-error 'string' is not assignable to type 'number'
limitJobs(db, 'tenant_jobs', { where: { tenant_id: '5' }, max: 10 })
// @ts-expect-error a key is of columns of your own
limitJobs(db, 'tenant_jobs', { where: { status: 'job_status_running' }, max: 10 })
// @ts-expect-error Property 'max' is missing
limitJobs(db, 'tenant_jobs', { where: { tenant_id: 5 } })
