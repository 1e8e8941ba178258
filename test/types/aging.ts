import type { Kysely } from 'kysely'
import { createBatchWorker, createWorker } from 'kysely-jobs'
import type { DB as Base, Nine } from './database.js'

interface DB extends Base {
  urgent_jobs: Nine & { priority: number; note: string }
  bare_jobs: Nine & { note: string }
}

declare const db: Kysely<DB>

createWorker(db, 'urgent_jobs', (job) => console.log(job.note), { priorityAging: '10m', concurrency: 4 })
createWorker(db, 'urgent_jobs', ({ note }) => console.log(note), { priorityAging: 60_000, select: ['note'] })
createWorker(db, 'bare_jobs', () => {}, { priorityAging: undefined })
createBatchWorker(db, 'urgent_jobs', () => {}, { size: 10, priorityAging: '1h', hold: 'transaction' })

// @ts-expect-error the table has no column priority
createWorker(db, 'bare_jobs', () => {}, { priorityAging: '10m' })
// @ts-expect-error the table has no column priority
createBatchWorker(db, 'bare_jobs', () => {}, { size: 10, priorityAging: 60_000 })
// @ts-expect-error '"10 minutes"' is not assignable to type
createWorker(db, 'urgent_jobs', () => {}, { priorityAging: '10 minutes' })
