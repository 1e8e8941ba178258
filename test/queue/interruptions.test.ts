import { sql } from 'kysely'
import { enqueue, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, findExpired, heartbeat, jobStates, release, rescue, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { compileFetch } from '../../src/queue/fetch.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { interruptionsOf, newWorkerId, workerOf } from '../../src/schema/lease-token.js'
import { testDatabase } from '../support/database.js'
import { other } from './mail-jobs.js'

const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text'), { notify: 'none' })
  await createJobTable(handle, 'text_jobs', (table) => table.addColumn('to', 'text'), { notify: 'none' })
  await sql`create collation vague (provider = icu, locale = 'und', deterministic = false)`.execute(handle)
  await sql`alter table text_jobs alter locked_by type text collate vague`.execute(handle)
})
const tables = ['mail_jobs', 'text_jobs'] as const
type Table = (typeof tables)[number]

beforeEach(async () => {
  for (const table of tables) await db.deleteFrom(table).execute()
})

const minute = newWorkerId(60_000)
const options = { lease: '1h', maxAttempts: 2 } as const // which no worker of ours has

/** The job is claimed, and its worker heard of no more. */
async function claim(table: Table = 'mail_jobs', ahead = false, worker = minute) {
  const [job] = (await compileFetch(jobsOf(db, table), { worker, columns: [] })(jobsOf(db, table).db, {
    limit: 1,
    ahead,
  })) as any[]
  return { id: job.id as string, attempt: Number(job.attempts_count), lockedBy: job.locked_by as string }
}

async function interrupted(table: Table = 'mail_jobs') {
  await sql`update ${sql.table(table)} set locked_at = locked_at - interval '61 s'`.execute(db)
  return rescue(db, table, options)
}

const row = async (table: Table = 'mail_jobs'): Promise<any> =>
  db.selectFrom(table).selectAll().executeTakeFirstOrThrow()

test.each(tables)('a claim says how often in a row its job was interrupted before (%s)', async (table) => {
  await enqueue(db, table, { to: 'ada' })
  for (const interruptions of [0, 1, 2]) {
    const { lockedBy } = await claim(table)
    expect(interruptionsOf(lockedBy)).toBe(interruptions)
    expect(workerOf(lockedBy)).toBe(minute)
    expect((await row(table)).locked_by).toBe(lockedBy)
    await interrupted(table)
  }
})

test.each(tables)(
  'the first interruption takes an attempt, the second in a row none, the next does (%s)',
  async (table) => {
    await enqueue(db, table, { to: 'deadly' })
    const { id } = await claim(table)
    expect(await interrupted(table)).toEqual([{ id, attempt: 1, status: 'job_status_retry' }])
    expect(await claim(table)).toMatchObject({ attempt: 2 })
    expect(await interrupted(table)).toEqual([{ id, attempt: 2, status: 'job_status_retry' }]) // though none is left
    expect(await row(table)).toMatchObject({
      attempts_count: 1,
      last_error: expect.stringMatching(
        /^Lease expired \(2 in a row\).*the attempt does not count, and the next one is alone/,
      ),
    })
    expect(await claim(table)).toMatchObject({ attempt: 2 })
    expect(await interrupted(table)).toEqual([{ id, attempt: 2, status: 'job_status_failed' }])
  },
)

test.each(tables)(
  'what was claimed ahead loses no attempt to its worker, until a heartbeat says that it began (%s)',
  async (table) => {
    await enqueue(db, table, { to: 'ada' })
    const lease = await claim(table, true)
    expect(lease.lockedBy).toMatch(/f$/) // claimed ahead of free slots
    expect(await interrupted(table)).toEqual([{ id: lease.id, attempt: 1, status: 'job_status_retry' }])
    expect(await row(table)).toMatchObject({
      attempts_count: 0,
      last_error: expect.stringContaining('its handler may never have begun'),
    })
    await retryJobs(db, table, { ids: [lease.id] })
    const again = await claim(table, true)
    expect(await heartbeat(db, table, [again], { worker: minute })).toEqual([again])
    expect((await row(table)).locked_by).toBe(minute)
    await interrupted(table)
    expect(await row(table)).toMatchObject({ attempts_count: 1 })
  },
)

test('what was interrupted is never marked as claimed ahead', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await claim('mail_jobs', true)
  await interrupted()
  expect(interruptionsOf((await claim('mail_jobs', true)).lockedBy)).toBe(1)
})

test('interruptions are counted up to nine', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  for (let n = 0; n < 12; n++) {
    expect(interruptionsOf((await claim()).lockedBy)).toBe(Math.min(n, 9))
    await sql`update mail_jobs set locked_at = '-infinity'`.execute(db)
    await rescue(db, 'mail_jobs', { lease: '1h', maxAttempts: 20 })
  }
})

test('a heartbeat keeps the count, and so does a job that is handed back', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await claim()
  await interrupted()
  const lease = await claim()
  expect(await heartbeat(db, 'mail_jobs', [lease], { worker: minute })).toHaveLength(1)
  expect((await row()).locked_by).toBe(lease.lockedBy)
  expect(await release(db, 'mail_jobs', [lease], { worker: minute })).toHaveLength(1)
  expect(interruptionsOf((await claim()).lockedBy)).toBe(1)
})

test.each([
  ['was to be tried again', { kind: 'retry', error: 'Lease expired (9 in a row): forged', delay: 0 }],
  ['was snoozed', { kind: 'snoozed', delay: 0 }],
  ['failed, and was retried', { kind: 'failed', error: 'Lease expired (9 in a row): forged' }],
] as const)('the count ends with a run that ended: it %s', async (_, outcome) => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await claim()
  await interrupted()
  const { id, attempt } = await claim()
  await settle(db, 'mail_jobs', [{ id, attempt, ...outcome }], { worker: minute })
  if (outcome.kind === 'failed') await retryJobs(db, 'mail_jobs', { ids: [id] })
  expect(interruptionsOf((await claim()).lockedBy)).toBe(0)
})

test.each(tables)(
  'a job is taken over by the lease of the worker that has it, whatever the lease of who looks (%s)',
  async (table) => {
    await enqueue(db, table, { to: 'ada' })
    await claim(table, false, newWorkerId(3_600_000))
    await sql`update ${sql.table(table)} set locked_at = now() - interval '59 min'`.execute(db)
    expect(await findExpired(db, table, { lease: '1s' })).toEqual([])
    expect(await rescue(db, table, { lease: '1s', maxAttempts: 5 })).toEqual([])
    await sql`update ${sql.table(table)} set locked_at = now() - interval '61 min'`.execute(db)
    expect(await findExpired(db, table, { lease: '2h' })).toHaveLength(1)
    expect(await rescue(db, table, { lease: '2h', maxAttempts: 5 })).toHaveLength(1)
  },
)

test.each(['zzzzzzzz-6b6a-8', 'ffffffff-6b6a-8zzz', '', 'ünïcode', '0000ea60-6b6a-8000-8000-00000000000z'])(
  'a holder that is no worker of ours (%j) has the lease that is given',
  async (lockedBy) => {
    const { id } = await enqueue(db, 'text_jobs', { to: 'ada' })
    await claim('text_jobs')
    await sql`update text_jobs set locked_by = ${lockedBy}, locked_at = now() - interval '61 s'`.execute(db)
    expect(await findExpired(db, 'text_jobs', { lease: '62s' })).toEqual([])
    expect(await rescue(db, 'text_jobs', { lease: '60s', maxAttempts: 2 })).toEqual([
      { id, attempt: 1, status: 'job_status_retry' },
    ])
  },
)

test('the raw verbs take any uuid for a worker; its leases say nothing but whose they are', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await claim()
  await interrupted()
  const [job] = await fetchNextJobs(db, 'mail_jobs', { worker: other, limit: 1 })
  expect(job).toMatchObject({ locked_by: other, attempts_count: 2 })
  const [state] = await jobStates(db, 'mail_jobs', [job?.id ?? ''])
  expect(state).toMatchObject({ worker: other })
})

test('where a job stands: its worker, as it calls itself', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { id } = await claim('mail_jobs', true)
  expect(await jobStates(db, 'mail_jobs', [id])).toMatchObject([{ worker: minute }])
})
