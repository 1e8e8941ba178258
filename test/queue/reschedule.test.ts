import { sql } from 'kysely'
import { createWorker, DurationError, enqueue, rescheduleJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, jobStatuses } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { claim, createMailJobs, jobs, rolledBack, worker } from './mail-jobs.js'

const { db, url } = await testDatabase(async (db) => {
  await createMailJobs(db)
  await createJobTable(db, 'plain_jobs')
})

beforeEach(() => sql`truncate mail_jobs, plain_jobs`.execute(db))

const every = { where: (eb: any) => eb.lit(true) }

/** How many seconds from now each job is due, by its name. */
const waits = async () => {
  const seconds = sql<number>`round(extract(epoch from run_at - clock_timestamp()))::int`.as('wait')
  const rows = await db.selectFrom('mail_jobs').select(['to', seconds]).execute()
  return Object.fromEntries(rows.map(({ to, wait }: any) => [to, wait]))
}

test('rescheduleJobs gives pending jobs another time, and leaves running and final ones alone', async () => {
  const date = new Date('2020-01-01T00:00:00Z')
  const values = jobStatuses.map((status) => ({ to: status, status, run_at: date, attempts_count: 2 }))
  await db.insertInto('mail_jobs').values(values).execute()
  const moved = await rescheduleJobs(db, 'mail_jobs', every, { delay: '1h' })
  expect(moved).toHaveLength(2)
  const rows = await jobs(db)
  const pending = ['job_status_not_started', 'job_status_retry']
  expect(rows.filter(({ id }) => moved.includes(id)).map(({ to }) => to)).toEqual(pending)
  expect(rows.map(({ to, status, attempts_count }) => [to === status, attempts_count])).toEqual(
    rows.map(() => [true, 2]),
  )
  expect(await waits()).toMatchObject({ job_status_not_started: 3600, job_status_retry: 3600 })
  expect(
    rows.filter(({ to }) => !pending.includes(to)).every(({ run_at }) => run_at.getTime() === date.getTime()),
  ).toBe(true)
})

test('the time is a Date, a text as Postgres reads it, or a length of time by its clock', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  const at = async () => (await jobs(db))[0].run_at
  const date = new Date('2031-05-06T07:08:09Z')
  expect(await rescheduleJobs(db, 'mail_jobs', { ids: [id] }, { to: date })).toEqual([id])
  expect(await at()).toEqual(date)
  await rescheduleJobs(db, 'mail_jobs', { ids: [id] }, { to: '2030-01-01T00:00:00Z' })
  expect(await at()).toEqual(new Date('2030-01-01T00:00:00Z'))
  await rescheduleJobs(db, 'mail_jobs', { ids: [id] }, { to: 'infinity' })
  expect(await at()).toBe(Number.POSITIVE_INFINITY)
  expect(await claim(db, 1)).toEqual([])
  await rescheduleJobs(db, 'mail_jobs', { ids: [id] }, { delay: 0 })
  expect(await claim(db, 1)).toMatchObject([{ id }])
})

test('the priority is changed alone, or with the time', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'ben' }])
  const ben = { where: (eb: any) => eb('to', '=', 'ben') }
  await rescheduleJobs(db, 'mail_jobs', ben, { priority: 5 })
  expect(await waits()).toEqual({ ada: 0, ben: 0 })
  const [first] = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1, columns: ['priority'] })
  expect(first).toMatchObject({ to: 'ben', priority: 5 })
  await rescheduleJobs(db, 'mail_jobs', every, { priority: -1, delay: '1h' })
  expect(await jobs(db)).toMatchObject([{ priority: -1 }, { priority: 5, status: 'job_status_running' }])
  expect(await waits()).toEqual({ ada: 3600, ben: 0 })
})

test.each([
  [{}, 'mail_jobs: reschedule to when? Give { to }, { delay } or { priority }'],
  [undefined, 'reschedule to when?'],
  [{ to: new Date(), delay: 5 }, 'mail_jobs: give either to or delay, not both'],
  [{ to: new Date('no') }, 'to: an object is invalid; give a Date, or a text that Postgres reads as a time'],
  [{ to: 5 }, 'to: 5 is invalid'],
  [{ priority: 1.5 }, 'priority: 1.5 is invalid; give a whole number'],
  [{ delay: '1h', columns: [] }, 'columns: no such option; there are dryRun, onProgress, signal, to, delay, priority'],
])('%j is refused, with the reason', async (options, reason) => {
  await expect(rescheduleJobs(db, 'mail_jobs', every, options as never)).rejects.toMatchObject({
    code: 'INVALID_BULK_OPTION',
    message: expect.stringContaining(reason),
  })
})

test('a table without the column has no priorities', async () => {
  await expect(rescheduleJobs(db, 'plain_jobs', every, { priority: 5 })).rejects.toThrow(
    "plain_jobs has no column 'priority'; addJobColumns(db, 'plain_jobs', { columns: ['priority'] }), in a migration, adds it",
  )
})

test('what the columns can not hold is thrown before anything is written, and not refused job by job', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'ben' }])
  await expect(rescheduleJobs(db, 'mail_jobs', every, { to: 'teatime' })).rejects.toMatchObject({ code: '22007' })
  await expect(rescheduleJobs(db, 'mail_jobs', every, { priority: 100_000 })).rejects.toMatchObject({ code: '22003' })
  await expect(rescheduleJobs(db, 'mail_jobs', every, { delay: -1 })).rejects.toThrow(DurationError)
  await rolledBack(db, async (trx) => {
    await expect(rescheduleJobs(trx, 'mail_jobs', every, { to: 'teatime' })).rejects.toMatchObject({ code: '22007' })
    expect(await rescheduleJobs(trx, 'mail_jobs', every, { delay: '1h' })).toHaveLength(2)
  })
})

test('a job whose new time a trigger refuses keeps its own, and the others are moved', async () => {
  await sql`
    create function keep() returns trigger language plpgsql as $$ begin
      if new."to" = 'kept' then raise exception 'it has its time'; end if; return new; end $$;
    create trigger keep before update on mail_jobs for each row execute function keep()`.execute(db)
  onTestFinished(async () => void (await sql`drop function keep cascade`.execute(db)))
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'kept' }, { to: 'ben' }])
  const moved = await rescheduleJobs(db, 'mail_jobs', every, { delay: '1h' })
  expect(moved).toHaveLength(2)
  expect(moved.refused).toMatchObject([{ error: { message: 'it has its time' } }])
  expect(await waits()).toEqual({ ada: 3600, kept: 0, ben: 3600 })
})

test('a worker that listens is woken for a job that is due earlier', async () => {
  const made = createWorker(db, 'plain_jobs', () => {}, { logger: quiet, listen: url, pollInterval: '1h', lease: '1h' })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const { id } = await enqueue(db, 'plain_jobs', {}, { delay: '1h' })
  await made.start()
  await expect.poll(() => made.health().listener).toBe('listening')
  const succeeded = next<{ job: { id: string } }>(made, 'succeeded')
  await rescheduleJobs(db, 'plain_jobs', { ids: [id] }, { delay: 0 })
  expect((await succeeded).job.id).toBe(id)
})
