/** What is measured is what is published: dist/, as `npm run build` leaves it; the types are those of the source. */
const door: typeof import('kysely-jobs') = await import(published('index'))
const queue: typeof import('kysely-jobs/queue') = await import(published('queue/index'))
const metrics: typeof import('kysely-jobs/metrics') = await import(published('metrics/index'))
const otel: typeof import('kysely-jobs/otel') = await import(published('otel/index'))
const pages: typeof import('kysely-jobs/dashboard') = await import(published('dashboard/index'))
const migrate: typeof import('kysely-jobs/migrate') = await import(published('migrate/index'))

export const { createBatchWorker, createRunner, createWorker, enqueue, guardPool, linear } = door
export const { dashboard } = pages
export const { metricsHandler } = metrics
export const { instrument } = otel
export const { fetchNextJobs, heartbeat, inspectJobTable, leaseOf, nextDueAt, rescue, settle } = queue
export const { createJobArchive, createJobHistory, createJobLimits, createJobPauses, createJobRunners } = migrate
export const { addJobColumns, createJobIndexes, createJobSchedules, createJobTable, createKeyIndexes, setJobStorage } =
  migrate

/** Behind no door: what a worker sends that holds its jobs by transactions. */
const held: typeof import('../src/queue/held.ts') = await import(published('queue/held'))
const database: typeof import('../src/schema/job-database.ts') = await import(published('schema/job-database'))

export const { compileHold, compileSuccess } = held
export const { jobsOf } = database

function published(path: string): string {
  return new URL(`../dist/src/${path}.js`, import.meta.url).href
}
