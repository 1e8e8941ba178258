import type { ColumnType, Generated, Kysely, Selectable } from 'kysely'
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { type Equal, type GeneratedTimestamp, holds, type Status, type Timestamp } from './database.js'

// With CamelCasePlugin the interface has camelCase columns: one convention for each table.

interface ImageJobs {
  id: Generated<string>
  createdAt: GeneratedTimestamp
  updatedAt: GeneratedTimestamp
  status: Generated<Status>
  lastError: string | null
  attemptsCount: Generated<number>
  lockedAt: Timestamp | null
  lockedBy: string | null
  runAt: GeneratedTimestamp
  maxAttempts: number | null
  result: ColumnType<{ width: number } | null, string | null, string | null>
  filePath: string
}
interface Camel {
  imageJobs: ImageJobs
  plainJobs: Omit<ImageJobs, 'result'>
  halfJobs: Omit<ImageJobs, 'lockedBy'> & { locked_by: string | null }
  badJobs: Omit<ImageJobs, 'attemptsCount' | 'lastError'> & { lastError: string }
}
declare const db: Kysely<Camel>

holds<Equal<JobTableName<Camel>, 'imageJobs' | 'plainJobs'>>()
createWorker(db, 'imageJobs', async (job) => {
  holds<Equal<typeof job, Readonly<Selectable<ImageJobs>>>>()
  return { width: job.filePath.length }
})
// @ts-expect-error Type '{ height: number; }' is not assignable to type
createWorker(db, 'imageJobs', () => ({ height: 3 }))

/** What is the enqueuer's to set has its camelCase name, and so has what is not. */
export async function newJobs() {
  const job = await enqueue(db, 'imageJobs', { filePath: '/a.png', runAt: new Date(), maxAttempts: 3 })
  holds<Equal<typeof job, Job<Camel, 'imageJobs'>>>()
}
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'imageJobs', { filePath: '/a.png', lockedBy: 'me' })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'imageJobs', { filePath: '/a.png', attemptsCount: 1 })

// Optional columns go by the names that the database has, here as everywhere below the interface.

fetchNextJobs(db, 'imageJobs', { worker: 'w', limit: 1, columns: ['max_attempts', 'result'] })
// @ts-expect-error Type '"priority"' is not assignable to type '"max_attempts"'.
fetchNextJobs(db, 'plainJobs', { worker: 'w', limit: 1, columns: ['priority'] })

// What is wrong is said in the table's own convention.

// @ts-expect-error "'halfJobs' is not a job table: column 'lockedBy' is missing"
createWorker(db, 'halfJobs', () => {})
// @ts-expect-error "'badJobs' is not a job table: column 'lastError' must be nullable, column 'attemptsCount' is missing"
createWorker(db, 'badJobs', () => {})
