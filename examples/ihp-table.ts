/**
 * A table that IHP made (ihp-table/schema.sql: no index, no trigger of ours), shared by an IHP worker and one of ours.
 * No job runs twice, and each finds what the other left: here, a retry that IHP wrote.
 */

import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool, linear } from 'kysely-jobs'
import pg from 'pg'
import type { DB } from './ihp-table/db.ts'
import { runNextJob } from './ihp-table/ihp-worker.ts'

const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 }))
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

const runs = new Map<string, string[]>()
const rendered = (title: string, by: string) => runs.set(title, [...(runs.get(title) ?? []), by])

// Another program enqueues by a plain insert; with no trigger there, polling finds the rows.
const titles = ['January', 'February', 'March', 'April', 'May', 'June']
for (const title of titles) await pool.query('INSERT INTO render_report_jobs (title) VALUES ($1)', [title])

await runNextJob(pool, (title) => {
  rendered(title, 'IHP')
  throw new Error('out of paper')
})

const ours = createWorker(db, 'render_report_jobs', (job) => void rendered(job.title, 'kysely-jobs'), {
  concurrency: 2,
  pollInterval: '50ms',
  seedBackoff: true, // IHP leaves run_at alone when a job fails: wait by the time it failed
  backoff: linear({ delay: '200ms' }),
})
await ours.start()
while (await runNextJob(pool, (title) => void rendered(title, 'IHP')));

const unfinished = () => db.selectFrom('render_report_jobs').where('status', '<>', 'job_status_succeeded').select('id')
while ((await unfinished().execute()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
await ours.stop()

const jobs = await db.selectFrom('render_report_jobs').select(['title', 'attempts_count']).execute()
const once = jobs.filter(({ title, attempts_count }) => runs.get(title)?.length === attempts_count)
console.log(`${once.length} of ${jobs.length} reports rendered, each attempt by one worker alone`)
const again = jobs.filter(({ attempts_count }) => attempts_count > 1)
for (const { title } of again) console.log(`${title}: failed under IHP, run again and rendered`)
await db.destroy()
