import { sql } from 'kysely'
import { cancelJobs, countJobs, enqueue, pruneJobs, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { finalStatuses, jobStatuses, notifyWorkers, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { age, claim, claimed, createMailJobs, jobs, other, rolledBack, worker } from './mail-jobs.js'

const { db, url } = await testDatabase(createMailJobs)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

/** One job of each status, named by it. */
async function oneOfEach(): Promise<void> {
  const values = jobStatuses.map((status) => ({
    to: status,
    status,
    attempts_count: 3,
    locked_by: status === 'job_status_running' ? worker : null,
  }))
  await db.insertInto('mail_jobs').values(values).execute()
}

const every = { where: (eb: any) => eb.lit(true) }

test('retryJobs lets final and pending jobs run from the beginning, and leaves running ones to their worker', async () => {
  await oneOfEach()
  const retried = await retryJobs(db, 'mail_jobs', every)
  expect(retried).toHaveLength(6)
  const rows = await jobs(db)
  expect(rows.filter(({ to }) => to === 'job_status_running')).toMatchObject([
    { status: 'job_status_running', attempts_count: 3, locked_by: worker },
  ])
  expect(rows.filter(({ id }) => retried.includes(id))).toMatchObject(
    Array(6).fill({ status: 'job_status_not_started', attempts_count: 0, locked_by: null, locked_at: null }),
  )
  expect(await claim(db, 10)).toHaveLength(6)
})

test('retryJobs frees a pending job that a hand left locked, and takes a delay', async () => {
  const { id } = await db
    .insertInto('mail_jobs')
    .values({ to: 'ada', locked_by: other })
    .returning('id')
    .executeTakeFirstOrThrow()
  expect(await retryJobs(db, 'mail_jobs', { ids: [id] }, { delay: '1h' })).toEqual([id])
  expect(await claim(db, 1)).toEqual([])
  await age(db, '1 h')
  expect(await claim(db, 1)).toMatchObject([{ id, attempt: 1 }])
})

test('jobs are picked by ids, or by a condition over the columns of the user', async () => {
  await db
    .insertInto('mail_jobs')
    .values(['ada', 'ben', 'cleo'].map((to) => ({ to, status: 'job_status_failed' })))
    .execute()
  const [ada] = await jobs(db)
  expect(await retryJobs(db, 'mail_jobs', { ids: [ada.id, crypto.randomUUID()] })).toEqual([ada.id])
  expect(await retryJobs(db, 'mail_jobs', { where: (eb) => eb('to', 'in', ['ben', 'dora']) })).toHaveLength(1)
  expect(await retryJobs(db, 'mail_jobs', { ids: [] })).toEqual([])
  expect((await jobs(db)).map(({ status }) => status)).toEqual([
    'job_status_not_started',
    'job_status_not_started',
    'job_status_failed',
  ])
})

test.each([{}, { where: undefined }, { ids: undefined }])('%j names no jobs, and is refused', async (selection) => {
  await expect(retryJobs(db, 'mail_jobs', selection as never)).rejects.toThrow(
    'Which jobs? Give { ids: [...] } or { where: (eb) => ... }',
  )
  await expect(cancelJobs(db, 'mail_jobs', selection as never)).rejects.toThrow('Which jobs?')
})

test('cancelJobs ends what waits and what runs, says why, and leaves final jobs as they are', async () => {
  await oneOfEach()
  expect(await cancelJobs(db, 'mail_jobs', every, { reason: 'the user left' })).toHaveLength(3)
  const rows = await jobs(db)
  expect(rows.filter(({ last_error }) => last_error !== null)).toMatchObject(
    ['not_started', 'retry', 'running'].map((name) => ({
      to: `job_status_${name}`,
      status: 'job_status_cancelled',
      locked_by: null,
      last_error: 'Cancelled: the user left',
    })),
  )
  expect(await cancelJobs(db, 'mail_jobs', every)).toEqual([])
})

test('the worker of a cancelled job has lost it: a late success changes nothing', async () => {
  const [lease] = await claimed(db, 'ada')
  await cancelJobs(db, 'mail_jobs', { ids: [lease.id] })
  expect(await settle(db, 'mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })).toEqual([])
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_cancelled', last_error: 'Cancelled: on request' }])
})

test('in a table of six statuses a cancelled job is a failed one', async () => {
  const six = jobStatuses.filter((status) => status !== 'job_status_cancelled')
  await sql`create schema ihp; create type ihp.job_status as enum (${sql.join(six.map((status) => sql.lit(status)))})`.execute(
    db,
  )
  await createJobTable(db, 'ihp.mail_jobs', (table) => table.addColumn('to', 'text'))
  const { id } = await enqueue(db, 'ihp.mail_jobs', { to: 'ada' })
  expect(await cancelJobs(db, 'ihp.mail_jobs', { ids: [id] })).toEqual([id])
  expect(await jobs(db, 'ihp.mail_jobs')).toMatchObject([
    { status: 'job_status_failed', last_error: 'Cancelled: on request' },
  ])
})

test('in a transaction of the user a hand is undone with it', async () => {
  await oneOfEach()
  const before = await jobs(db)
  await rolledBack(db, async (trx) => {
    expect(await pruneJobs(trx, 'mail_jobs', { olderThan: 0 })).toBe(4)
    expect(await cancelJobs(trx, 'mail_jobs', every)).toHaveLength(3)
    expect(await retryJobs(trx, 'mail_jobs', every)).toHaveLength(3)
  })
  expect(await jobs(db)).toEqual(before)
})

test('pruneJobs deletes what ended long ago, oldest first, and as many as it may', async () => {
  await oneOfEach()
  await age(db, '8 days')
  await db.insertInto('mail_jobs').values({ to: 'young', status: 'job_status_succeeded' }).execute()
  await db
    .updateTable('mail_jobs')
    .set({ updated_at: sql`updated_at - interval '1 day'` })
    .where('to', '=', 'job_status_failed')
    .execute()
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: '7d', limit: 1 })).toBe(1)
  expect((await jobs(db)).map(({ to }) => to)).not.toContain('job_status_failed')
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: '7d' })).toBe(3)
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: '7d' })).toBe(0)
  expect((await jobs(db)).map(({ to }) => to)).toEqual([
    'job_status_not_started',
    'job_status_retry',
    'job_status_running',
    'young',
  ])
})

test('pruneJobs may be about some statuses only; none are none', async () => {
  await oneOfEach()
  await age(db, '8 days')
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: '7d', statuses: [] })).toBe(0)
  expect(
    await pruneJobs(db, 'mail_jobs', { olderThan: '7d', statuses: ['job_status_failed', 'job_status_timed_out'] }),
  ).toBe(2)
  const left = (await jobs(db)).map(({ status }) => status)
  expect(finalStatuses.filter((status) => left.includes(status))).toEqual([
    'job_status_succeeded',
    'job_status_cancelled',
  ])
})

test('pruneJobs passes over what another transaction holds', async () => {
  await oneOfEach()
  await age(db, '8 days')
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').select('id').where('to', '=', 'job_status_failed').forUpdate().execute()
    expect(await pruneJobs(db, 'mail_jobs', { olderThan: '7d' })).toBe(3)
  })
})

test('only what a worker could claim is counted as due', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'due' }, { to: 'due too' }])
  await enqueue(db, 'mail_jobs', { to: 'later' }, { delay: '1h' })
  await db.insertInto('mail_jobs').values({ to: 'locked', locked_by: other }).execute()
  expect((await countJobs(db, 'mail_jobs')).due).toBe(2)
})

test('workers of a table without triggers can be woken, once for any number of jobs', async () => {
  const listener = new pg.Client({ connectionString: url })
  await listener.connect()
  onTestFinished(() => listener.end())
  const heard: string[] = []
  const done = new Promise<void>((resolve) => {
    listener.on('notification', ({ channel, payload }) => {
      heard.push(`${channel}: ${payload}`)
      if (channel === 'said_last') resolve()
    })
  })
  await listener.query('listen job_available_mail_jobs; listen said_last')
  await db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', [{ to: 'ada' }, { to: 'ben' }]))
  await notifyWorkers(db, 'mail_jobs')
  await sql`select pg_notify('said_last', '')`.execute(db)
  await done
  expect(heard).toEqual(['job_available_mail_jobs: 0', 'said_last: '])
  await expect(notifyWorkers(db, 'no_such_table')).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
})
