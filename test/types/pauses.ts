import type { Kysely } from 'kysely'
import { listPauses, pauseJobs, resumeJobs } from 'kysely-jobs'
import { type DB as Base, type Equal, holds, type Nine } from './database.js'

interface DB extends Base {
  tenant_jobs: Nine & { tenant_id: number; account: string; note: string | null; facts: { a: number }; day: Date }
}

declare const db: Kysely<DB>

export async function all() {
  await pauseJobs(db, 'tenant_jobs')
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 5, account: 'a' }, reason: 'late', until: '10m' })
  await pauseJobs(db, 'tenant_jobs', { where: { note: 'n' }, until: new Date() })
  const was = await resumeJobs(db, 'tenant_jobs', { where: { tenant_id: 5 } })
  holds<Equal<typeof was, boolean>>()
  const [first] = await listPauses(db, 'tenant_jobs')
  return Object.keys(first?.where ?? {})
}

// @ts-expect-error Type 'string' is not assignable to type 'number'
pauseJobs(db, 'tenant_jobs', { where: { tenant_id: '5' } })
// @ts-expect-error Type 'null' is not assignable to type
pauseJobs(db, 'tenant_jobs', { where: { note: null } })
// @ts-expect-error "a key is of columns of your own"
pauseJobs(db, 'tenant_jobs', { where: { status: 'job_status_retry' } })
// @ts-expect-error "a key is of texts, numbers and booleans"
pauseJobs(db, 'tenant_jobs', { where: { facts: { a: 1 } } })
// @ts-expect-error "a key is of texts, numbers and booleans"
pauseJobs(db, 'tenant_jobs', { where: { day: new Date() } })
// @ts-expect-error 'template' does not exist in type
pauseJobs(db, 'tenant_jobs', { where: { template: 'welcome' } })
// @ts-expect-error 'until' does not exist in type
resumeJobs(db, 'tenant_jobs', { until: '1h' })
// @ts-expect-error '"10 minutes"' is not assignable to type
pauseJobs(db, 'tenant_jobs', { until: '10 minutes' })
// @ts-expect-error 'users' is not a job table
pauseJobs(db, 'users')
