import type { Kysely } from 'kysely'
import { createBatchWorker, createWorker } from 'kysely-jobs'
import type { DB as Base, Nine } from './database.js'

interface DB extends Base {
  tenant_jobs: Nine & { tenant_id: number; account: string; note: string | null; facts: { a: number } }
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

// @ts-expect-error '"status"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { fifo: 'status' })
// @ts-expect-error '"note"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { fairBy: 'note' })
// @ts-expect-error '"facts"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'facts', max: 2 } })
// @ts-expect-error '"template"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'template', max: 2 } })
// @ts-expect-error Property 'max' is missing
createWorker(db, 'tenant_jobs', () => {}, { limit: { by: 'tenant_id' } })
// @ts-expect-error '"stop"' is not assignable to type
createWorker(db, 'tenant_jobs', () => {}, { fifo: 'tenant_id', onFailure: 'stop' })
// @ts-expect-error the table has no column of its own that is never null and holds a text, a number, a boolean or a date
createWorker(db, 'bare_jobs', () => {}, { fifo: 'note' })
