import { type Kysely, sql } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import { fetchNextJob, jobDidTimeout } from 'kysely-jobs/ihp'
import { createJobTable } from 'kysely-jobs/migrate'
import { isJobStatus, jobStatuses, parseJobStatus } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../support/database.js'
import { quiet, sendMail, worker } from './send-mail.js'

const { db, add, row } = await sendMail()

const seedStatuses = [
  'job_status_not_started',
  'job_status_running',
  'job_status_failed',
  'job_status_timed_out',
  'job_status_succeeded',
  'job_status_retry',
] as const

const labels = async (type: string, database: Kysely<any> = db) =>
  (
    await sql<{
      label: string
    }>`select enumlabel as label from pg_enum where enumtypid = ${sql.lit(type)}::regtype`.execute(database)
  ).rows.map(({ label }) => label)

test("S41: the seed's six values are ours, under the same names, and a seventh for what was cancelled", async () => {
  expect(await labels('JOB_STATUS')).toEqual(seedStatuses)
  expect([...jobStatuses].sort()).toEqual([...seedStatuses, 'job_status_cancelled'].sort())
})

test('S42: a value that is no status is an error that names it, and null is another', async () => {
  expect(() => parseJobStatus('job_status_lost')).toThrow('Unexpected value for a job status: "job_status_lost"')
  expect(() => parseJobStatus(null)).toThrow('Unexpected null for a job status')
})

test('S43: the database, a form and a URL use the same values', async () => {
  for (const status of seedStatuses) {
    const { id } = await add({ status })
    const read = (await row(id)).status
    const url = new URL(`http://localhost/jobs?status=${status}`)
    expect([read, parseJobStatus(read), parseJobStatus(url.searchParams.get('status'))]).toEqual(Array(3).fill(status))
  }
})

test('S44: a job that nobody gave a status is not started', async () => {
  expect(await add()).toMatchObject({ status: 'job_status_not_started' })
})

test('S45: a parameter is read exactly, and anything else is refused', async () => {
  for (const value of [
    'job_status_FAILED',
    ' job_status_failed',
    'failed',
    '',
    'constructor',
    1,
    ['job_status_failed'],
  ]) {
    expect(isJobStatus(value)).toBe(false)
    expect(() => parseJobStatus(value)).toThrow('Unexpected value')
  }
})

test('D36: the enum of a migration holds every status there is', async () => {
  await using fresh = await createTestDatabase()
  await createJobTable(fresh.db, 'jobs')
  expect((await labels('job_status', fresh.db)).sort()).toEqual([...jobStatuses].sort())
})

test('D26: a status may be text as well as an enum', async () => {
  await sql`create table text_jobs (like send_mail_jobs including all)`.execute(db)
  await sql`alter table text_jobs alter status drop default, alter status type text, alter status set default 'job_status_not_started'`.execute(
    db,
  )
  await sql`insert into text_jobs (recipient) values ('ada')`.execute(db)
  const table = 'text_jobs' as 'send_mail_jobs'
  const job = await fetchNextJob(db, table, { worker })
  expect(job).toMatchObject({ status: 'job_status_running' satisfies JobStatus })
  if (job !== undefined) await jobDidTimeout(db, table, job, { logger: quiet, maxAttempts: 1 })
  const { rows } = await sql`select status, attempts_count from text_jobs`.execute(db)
  expect(rows).toEqual([{ status: 'job_status_timed_out', attempts_count: 1 }])
})
