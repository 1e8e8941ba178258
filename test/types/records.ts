import type { Kysely } from 'kysely'
import {
  createWorker,
  type Histogram,
  type histogramBounds,
  quantile,
  type RunnableWorker,
  type WorkerStats,
} from 'kysely-jobs'
import { type DB, type Equal, holds } from './database.js'

declare const db: Kysely<DB>

const worker = createWorker(db, 'mail_jobs', async () => {})
const stats = worker.stats()
holds<Equal<typeof stats, WorkerStats>>()
holds<Equal<typeof stats.succeeded, number>>()
holds<Equal<typeof stats.wait, Histogram>>()
holds<Equal<ReturnType<RunnableWorker['stats']>, WorkerStats>>()
const p95 = quantile(stats.duration, 0.95)
holds<Equal<typeof p95, number | undefined>>()
holds<Equal<typeof histogramBounds, readonly number[]>>()

// @ts-expect-error Cannot assign to 'failed' because it is a read-only property
stats.failed = 0
// @ts-expect-error Property 'done' does not exist on type 'WorkerStats'
stats.done
// @ts-expect-error only permits reading
stats.wait.counts[0] = 1
// @ts-expect-error is not assignable to parameter of type 'Histogram'
quantile('p50', 0.5)
