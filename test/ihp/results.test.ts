import { CamelCasePlugin, Kysely, type LogEvent, PostgresDialect, sql } from 'kysely'
import { type Job, linear } from 'kysely-jobs'
import { fetchNextJob, jobDidFail, jobDidSucceed, jobDidTimeout } from 'kysely-jobs/ihp'
import { beforeEach, expect, test } from 'vitest'
import type { IhpDatabase, IhpJobs } from '../support/ihp-table.js'
import { at, otherWorker, sendMail, worker } from './send-mail.js'

const { db, pool, add, abandoned, row } = await sendMail()

interface CamelJobs {
  id: IhpJobs['id']
  createdAt: IhpJobs['created_at']
  updatedAt: IhpJobs['updated_at']
  status: IhpJobs['status']
  lastError: IhpJobs['last_error']
  attemptsCount: IhpJobs['attempts_count']
  lockedAt: IhpJobs['locked_at']
  lockedBy: IhpJobs['locked_by']
  runAt: IhpJobs['run_at']
  recipient: string
}

const logged: { level: string; message: string; facts: object }[] = []
const keep = (level: string) => (facts: object, message: string) => void logged.push({ level, message, facts })
const logger = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
beforeEach(() => void logged.splice(0))

/** A job at a certain attempt, as a worker has just claimed it. */
async function claimed(attempt = 1): Promise<Job<IhpDatabase, 'send_mail_jobs'>> {
  const status = attempt === 1 ? 'job_status_not_started' : 'job_status_retry'
  await add({
    status,
    attempts_count: attempt - 1,
    last_error: 'before',
    created_at: at('-1 day'),
    run_at: at('-1 hour'),
  })
  const job = await fetchNextJob(db, 'send_mail_jobs', { worker })
  if (job === undefined) throw new Error('there is nothing to claim')
  return job
}

/** Microseconds: both may be of one millisecond. */
async function updatedAt(id: string): Promise<bigint> {
  const query = sql<{
    at: string
  }>`select (extract(epoch from updated_at) * 1000000)::bigint::text as at from send_mail_jobs where id = ${id}`
  const { rows } = await query.execute(db)
  return BigInt(rows[0]?.at ?? 0)
}

const fails = (job: Job<IhpDatabase, 'send_mail_jobs'>, options: object = {}) =>
  jobDidFail(db, 'send_mail_jobs', job, new Error('mail server away'), { logger, ...options })
const timesOut = (job: Job<IhpDatabase, 'send_mail_jobs'>, options: object = {}) =>
  jobDidTimeout(db, 'send_mail_jobs', job, { logger, ...options })

test('S34: a failure is a retry while attempts are left, then failed; its text is kept and logged as a warning', async () => {
  const ninth = await claimed(9)
  expect(await fails(ninth)).toBe(true)
  expect(await row(ninth.id)).toMatchObject({
    status: 'job_status_retry',
    locked_by: null,
    last_error: expect.stringMatching(/^Error: mail server away/),
  })
  const tenth = await claimed(10)
  expect(await fails(tenth)).toBe(true)
  expect(await row(tenth.id)).toMatchObject({ status: 'job_status_failed', locked_by: null })
  expect(logged).toMatchObject([
    { level: 'warn', message: expect.stringContaining('failed job with exception: Error: mail server away') },
    { level: 'warn' },
  ])
})

test('S35: a timeout is a retry while attempts are left, then timed out', async () => {
  const ninth = await claimed(9)
  expect(await timesOut(ninth)).toBe(true)
  expect(await row(ninth.id)).toMatchObject({
    status: 'job_status_retry',
    locked_by: null,
    last_error: 'Timeout reached',
  })
  const tenth = await claimed(10)
  expect(await timesOut(tenth)).toBe(true)
  expect(await row(tenth.id)).toMatchObject({ status: 'job_status_timed_out', last_error: 'Timeout reached' })
  expect(logged.map(({ level }) => level)).toEqual(['warn', 'warn'])
})

test('S36: a success unlocks the row, is logged as information, and leaves the error of an earlier attempt', async () => {
  const job = await claimed(2)
  const before = await updatedAt(job.id)
  expect(await jobDidSucceed(db, 'send_mail_jobs', job, { logger })).toBe(true)
  expect(await row(job.id)).toMatchObject({ status: 'job_status_succeeded', locked_by: null, last_error: 'before' })
  expect(await updatedAt(job.id)).toBeGreaterThan(before)
  expect(logged).toMatchObject([{ level: 'info', message: 'send_mail_jobs: succeeded job' }])
})

test('S37, D29: no result touches attempts, creation, locked_at or the columns of the user', async () => {
  for (const end of [
    fails,
    timesOut,
    (job: Job<IhpDatabase, 'send_mail_jobs'>) => jobDidSucceed(db, 'send_mail_jobs', job, { logger }),
  ]) {
    const job = await claimed()
    await end(job)
    const { status, updated_at, locked_by, last_error, run_at, ...rest } = await row(job.id)
    expect(job).toMatchObject(rest)
    expect(rest.locked_at).not.toBeNull()
    if (status === 'job_status_succeeded') expect(run_at).toEqual(job.run_at)
  }
})

test('S38: the number of attempts may depend on the job; 0 and 1 are a single attempt', async () => {
  const patient = await claimed()
  await fails(patient, { maxAttempts: ({ recipient }: typeof patient) => recipient.length })
  expect(await row(patient.id)).toMatchObject({ status: 'job_status_retry' })
  for (const maxAttempts of [0, 1]) {
    const job = await claimed()
    await fails(job, { maxAttempts })
    expect(await row(job.id)).toMatchObject({ status: 'job_status_failed', attempts_count: 1 })
  }
})

test.each([
  ['to another worker', { locked_by: otherWorker }],
  ['for another attempt', { attempts_count: 2 }],
  ['to nobody', { locked_by: null }],
])('S39, D14: a result of an attempt whose row has gone %s is not written', async (_, taken) => {
  const late = await claimed()
  await db.updateTable('send_mail_jobs').set(taken).execute()
  const before = await row(late.id)
  expect(await jobDidSucceed(db, 'send_mail_jobs', late, { logger })).toBe(false)
  expect(await fails(late)).toBe(false)
  expect(await timesOut(late)).toBe(false)
  expect(await row(late.id)).toEqual(before)
  expect(logged.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn'])
})

test('D15: one worker that claims a job twice can tell its attempts apart', async () => {
  const { id } = await abandoned({ locked_by: worker })
  const slow = await row(id)
  const again = await fetchNextJob(db, 'send_mail_jobs', { worker, timeout: '30s' })
  expect(again).toMatchObject({ id, locked_by: worker, attempts_count: 2 })
  expect(await jobDidSucceed(db, 'send_mail_jobs', slow, { logger })).toBe(false)
  expect(await jobDidSucceed(db, 'send_mail_jobs', again ?? slow, { logger })).toBe(true)
})

test('the result of a job that nobody has claimed is not written', async () => {
  const job = await add()
  expect(await jobDidSucceed(db, 'send_mail_jobs', job, { logger })).toBe(false)
  expect(await row(job.id)).toEqual(job)
})

test("S40: these statements are seen by the log of the user's Kysely like any other", async () => {
  const seen: LogEvent[] = []
  const logging = new Kysely<IhpDatabase>({
    dialect: new PostgresDialect({ pool }),
    log: (event) => void seen.push(event),
  })
  const job = await claimed()
  await jobDidSucceed(logging, 'send_mail_jobs', job, { logger })
  expect(seen.map(({ query }) => query.sql)).toEqual([expect.stringMatching(/^update "send_mail_jobs"/)])
})

test('D30: of an error of any size a readable part is kept, and no log holds the row', async () => {
  const job = await claimed()
  await jobDidFail(db, 'send_mail_jobs', job, new Error('x'.repeat(1_000_000)), { logger })
  const { last_error } = await row(job.id)
  expect(last_error?.length).toBeLessThanOrEqual(8_000)
  expect(last_error).toMatch(/^Error: x+ \.\.\. \(\d+ characters\)$/)
  expect(JSON.stringify(logged)).not.toContain('recipient')
})

test('the verbs read rows in camel case as well', async () => {
  const camel = db.withPlugin(new CamelCasePlugin()) as unknown as Kysely<{ sendMailJobs: CamelJobs }>
  await add()
  const job = await fetchNextJob(camel, 'sendMailJobs', { worker })
  expect(job).toMatchObject({ lockedBy: worker, attemptsCount: 1 })
  if (job !== undefined) expect(await jobDidFail(camel, 'sendMailJobs', job, 'away', { logger })).toBe(true)
  expect(await row(job?.id ?? '')).toMatchObject({ status: 'job_status_retry', last_error: 'away' })
})

test('a failure may wait as a rule or a function says', async () => {
  const wait = async (backoff: object) => {
    const job = await claimed(2)
    await fails(job, { backoff })
    const { run_at, updated_at } = await row(job.id)
    return Math.round((run_at.getTime() - updated_at.getTime()) / 1000)
  }
  expect(await wait(linear({ delay: '90s' }))).toBe(90)
  expect(await wait((attempt: number, error: Error) => attempt * error.message.length * 1000)).toBe(32)
})
