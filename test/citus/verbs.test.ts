import { sql } from 'kysely'
import { cancelJobs, countJobs, deleteJobs, enqueue, pruneJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import {
  fetchNextJobs,
  heartbeat,
  inspectJobTable,
  jobStates,
  leaseOf,
  nextDueAt,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { worker } from '../queue/mail-jobs.js'
import { spreadDatabase } from './spread.js'

// The raw verbs on a table that is distributed by a column, where the server refuses what Citus refuses.

const { db, plain, refused } = await spreadDatabase()
const { key, home } = await inspectJobTable(db, 'mail_jobs')
const known = { worker, key, home }

beforeEach(() => plain.deleteFrom('mail_jobs').execute())

const id = '5f0c1a52-91a5-4d37-8a0b-3c9b6f6f0001'
/** Of one id, in two tenants: each has its own life. */
const twins = () => [1, 2].map((tenant_id) => ({ id, tenant_id, note: `of ${tenant_id}` }))
const statuses = async () => {
  const rows = await plain.selectFrom('mail_jobs').select(['tenant_id', 'status']).orderBy('tenant_id').execute()
  return Object.fromEntries(rows.map(({ tenant_id, status }) => [tenant_id, status.replace('job_status_', '')]))
}

test('what is claimed of several tenants is settled, each job by its own lease', async () => {
  await enqueue(db, 'mail_jobs', [...twins(), { tenant_id: 3, note: 'c' }])
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10, columns: ['priority'] })
  expect(jobs.map(({ tenant_id }) => tenant_id).sort()).toEqual([1, 2, 3])
  const leases = jobs.map((job) => ({ ...leaseOf(job), tenant: job.tenant_id }))
  expect(await heartbeat(db, 'mail_jobs', leases, known)).toHaveLength(3)
  const outcomes = leases.map(({ tenant, ...lease }) =>
    tenant === 1
      ? { ...lease, kind: 'succeeded' as const, result: { tenant } }
      : tenant === 2
        ? { ...lease, kind: 'retry' as const, error: 'no' }
        : { ...lease, kind: 'snoozed' as const, delay: 60_000 },
  )
  expect(await settle(db, 'mail_jobs', outcomes, { ...known, columns: ['result'] })).toHaveLength(3)
  expect(await statuses()).toEqual({ 1: 'succeeded', 2: 'retry', 3: 'not_started' })
  expect(await settle(db, 'mail_jobs', outcomes, known)).toEqual([]) // the leases are over
  expect(refused).toEqual([])
})

test('jobs of several tenants that are enqueued together come back in the order in which they were given', async () => {
  const given = Array.from({ length: 20 }, (_, n) => ({ tenant_id: n % 3, note: `${n}` }))
  const notesOf = (jobs: readonly { note: string }[]) => jobs.map(({ note }) => note)
  expect(notesOf(await enqueue(db, 'mail_jobs', given))).toEqual(notesOf(given))
  await plain.deleteFrom('mail_jobs').execute()
  const inOne = await db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', given))
  expect(notesOf(inOne)).toEqual(notesOf(given))
  expect(refused).toEqual([])
})

test('a fetch goes on to other tenants where all jobs of the first are in the hands of others', async () => {
  await enqueue(db, 'mail_jobs', twins())
  const first = plain.updateTable('mail_jobs').set({ run_at: new Date(0) })
  await first.where('tenant_id', '=', 1).execute()
  await plain.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').select('id').where('tenant_id', '=', 1).forUpdate().execute()
    expect(await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 1 })).toMatchObject([{ tenant_id: 2 }])
  })
})

test('what was claimed of one tenant comes back, whatever is refused of the next', async () => {
  await sql`alter table mail_jobs add constraint picky check (tenant_id <> 2 or attempts_count = 0)`.execute(plain)
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(plain).then(() => {}))
  await enqueue(db, 'mail_jobs', twins())
  await plain
    .updateTable('mail_jobs')
    .set({ run_at: new Date(0) })
    .where('tenant_id', '=', 1)
    .execute()
  expect(await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })).toMatchObject([{ tenant_id: 1 }])
  await expect(fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })).rejects.toThrow('picky')
})

test('what is refused of one tenant is an error, and the outcomes of the others are written', async () => {
  await enqueue(db, 'mail_jobs', twins())
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })
  await sql`alter table mail_jobs add constraint picky check (tenant_id <> 1 or status <> 'job_status_succeeded')`.execute(
    plain,
  )
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(plain).then(() => {}))
  const outcomes = jobs.map((job) => ({ ...leaseOf(job), kind: 'succeeded' as const }))
  await expect(settle(db, 'mail_jobs', outcomes, known)).rejects.toThrow('picky')
  expect(await statuses()).toEqual({ 1: 'running', 2: 'succeeded' })
})

test('a fetch takes no more than it is asked for, by priority within a tenant', async () => {
  await enqueue(db, 'mail_jobs', [
    { tenant_id: 1, note: 'low' },
    { tenant_id: 1, note: 'high', priority: 5 },
  ])
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 1, columns: ['priority'] })
  expect(jobs).toMatchObject([{ note: 'high' }])
  expect(await release(db, 'mail_jobs', jobs.map(leaseOf), known)).toHaveLength(1)
  expect(await nextDueAt(db, 'mail_jobs', { columns: ['priority'] })).toBeLessThanOrEqual(0)
  expect(refused).toEqual([])
})

test('jobs whose worker is gone are taken from it, and by nobody else', async () => {
  await enqueue(db, 'mail_jobs', twins())
  await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })
  await plain
    .updateTable('mail_jobs')
    .set({ locked_at: new Date(0) })
    .where('tenant_id', '=', 2)
    .execute()
  const rescued = await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 10, key, home })
  expect(rescued).toMatchObject([{ id, status: 'job_status_retry' }])
  expect(await statuses()).toEqual({ 1: 'running', 2: 'retry' })
  expect(refused).toEqual([])
})

const ofTwo = { where: (job: any) => job('tenant_id', '=', 2) }

test.each([
  ['cancelled', () => cancelJobs(db, 'mail_jobs', ofTwo), { 1: 'not_started', 2: 'cancelled' }],
  [
    'rescheduled',
    () => rescheduleJobs(db, 'mail_jobs', ofTwo, { delay: '1h' }),
    { 1: 'not_started', 2: 'not_started' },
  ],
  ['deleted', () => deleteJobs(db, 'mail_jobs', ofTwo), { 1: 'not_started' }],
] as const)('of two jobs with one id the one that is chosen is %s', async (_, verb, after) => {
  await enqueue(db, 'mail_jobs', twins())
  expect(await verb()).toEqual([id])
  expect(await statuses()).toEqual(after)
  expect(refused).toEqual([])
})

test('jobs by their ids are found on all nodes, retried, counted and pruned', async () => {
  const jobs = await enqueue(
    db,
    'mail_jobs',
    [1, 2, 3].map((tenant_id) => ({ tenant_id, note: 'x' })),
  )
  const ids = jobs.map((job) => job.id)
  await cancelJobs(db, 'mail_jobs', { ids })
  expect((await retryJobs(db, 'mail_jobs', { ids: ids.slice(0, 1) })).length).toBe(1)
  expect(await jobStates(db, 'mail_jobs', ids)).toHaveLength(3)
  expect(await countJobs(db, 'mail_jobs', { exact: true })).toMatchObject({
    due: 1,
    statuses: { job_status_not_started: 1, job_status_cancelled: 2 },
  })
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: 0 })).toBe(2)
  expect(refused).toEqual([])
})

test('a verb in a transaction is a part of it', async () => {
  await enqueue(db, 'mail_jobs', twins())
  const undone = db.transaction().execute(async (trx) => {
    expect(await cancelJobs(trx, 'mail_jobs', { where: (job) => job.lit(true) })).toHaveLength(2)
    throw new Error('changed my mind')
  })
  await expect(undone).rejects.toThrow('changed my mind')
  expect(await statuses()).toEqual({ 1: 'not_started', 2: 'not_started' })
})

test('leases without their key are refused, and nothing is written', async () => {
  await enqueue(db, 'mail_jobs', { tenant_id: 1, note: 'a' })
  const [job] = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 1 })
  const lease = { id: job?.id ?? '', attempt: 1, kind: 'succeeded' as const }
  await expect(settle(db, 'mail_jobs', [lease], known)).rejects.toThrow(
    'mail_jobs is a distributed table: give the verbs its key and home, which inspectJobTable tells, and leases as leaseOf(job) makes them',
  )
  expect(await statuses()).toEqual({ 1: 'running' })
})

test('a job of no tenant is refused, with the column that is to be given', async () => {
  const wrong = { note: 'of nobody' } as never // as without a compiler
  await expect(enqueue(db, 'mail_jobs', wrong)).rejects.toThrow(
    "mail_jobs is distributed over nodes by 'tenant_id', and a job without a value in it goes to none: give each job one",
  )
  const inOne = db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', wrong))
  await expect(inOne).rejects.toThrow(
    'mail_jobs is distributed over nodes by a column, and a job without a value in it',
  )
})
