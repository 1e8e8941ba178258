import type { Kysely } from 'kysely'
import {
  createRunner,
  createWorker,
  type Histogram,
  type HistoryPoint,
  histogramBounds,
  jobHistory,
  listRunners,
  quantile,
  type RunnableWorker,
  type RunnerState,
  type WorkerState,
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
const bounds: readonly number[] = histogramBounds
holds<Equal<(typeof bounds)[number], number>>()

// @ts-expect-error Cannot assign to 'failed' because it is a read-only property
stats.failed = 0
// @ts-expect-error Property 'done' does not exist on type 'WorkerStats'
stats.done
// @ts-expect-error only permits reading
stats.wait.counts[0] = 1
// @ts-expect-error is not assignable to parameter of type 'Histogram'
quantile('p50', 0.5)

export async function runners() {
  const all = await listRunners(db)
  holds<Equal<typeof all, RunnerState[]>>()
  const [runner] = all
  holds<Equal<NonNullable<typeof runner>['workers'], readonly WorkerState[]>>()
  // @ts-expect-error Cannot assign to 'alive' because it is a read-only property
  if (runner) runner.alive = true
  return all.filter(({ alive }) => alive).map(({ host, pid }) => `${host} ${pid}`)
}

createRunner(db, { workers: [worker], history: '90d' })
createRunner(db, { workers: [worker], history: false })
// @ts-expect-error Type 'true' is not assignable to type
createRunner(db, { workers: [worker], history: true })

export async function history() {
  const points = await jobHistory(db, 'mail_jobs', { from: new Date(), step: 'minute' })
  holds<Equal<typeof points, HistoryPoint[]>>()
  // @ts-expect-error possibly 'null'
  points.map(({ wait }) => wait.p95)
  // @ts-expect-error Type '"day"' is not assignable to type
  await jobHistory(db, 'mail_jobs', { step: 'day' })
  // @ts-expect-error 'users' is not a job table
  await jobHistory(db, 'users')
  return points.map(({ at, rate, duration }) => [at.getTime(), rate, duration?.p50 ?? null])
}
