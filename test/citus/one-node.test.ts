import {
  cancelJobs,
  countJobs,
  createWorker,
  deleteJobs,
  enqueue,
  pruneJobs,
  rescheduleJobs,
  retryJobs,
} from 'kysely-jobs'
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
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { worker } from '../queue/mail-jobs.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { spreadDatabase } from './spread.js'

// A job table on a node of its own: the statements of Postgres, but for what Citus refuses of them.

const { db, plain, refused } = await spreadDatabase({ unique: [{ columns: ['note'], within: true }] }, 'one node')
const { key, home } = await inspectJobTable(db, 'mail_jobs')
const known = { worker, key, home }

beforeEach(() => plain.deleteFrom('mail_jobs').execute())
afterEach(() => expect(refused).toEqual([]))

const notes = (count: number) => Array.from({ length: count }, (_, n) => ({ tenant_id: n, note: `${n}` }))
const statuses = async () =>
  (await plain.selectFrom('mail_jobs').select('status').orderBy('tenant_id').execute()).map(({ status }) =>
    status.replace('job_status_', ''),
  )

test('it is known for what it is', () => {
  expect(home).toMatchObject({ engine: { triggers: 'none' }, placement: { kind: 'one node' } })
})

test('jobs are claimed by priority, renewed, and end in each way', async () => {
  await enqueue(db, 'mail_jobs', notes(6))
  await enqueue(db, 'mail_jobs', { tenant_id: 9, note: 'urgent', priority: 5 })
  const [urgent] = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 1, columns: ['priority'] })
  expect(urgent).toMatchObject({ note: 'urgent' })
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10, columns: ['priority'] })
  expect(jobs).toHaveLength(6)
  expect(await heartbeat(db, 'mail_jobs', jobs.map(leaseOf), known)).toHaveLength(6)
  const ends = [
    { kind: 'succeeded' as const, result: { n: 1 } },
    { kind: 'retry' as const, error: 'no' },
    { kind: 'failed' as const, error: 'never' },
    { kind: 'timed_out' as const, error: 'late' },
    { kind: 'snoozed' as const, delay: 60_000 },
    { kind: 'cancelled' as const, reason: 'why' },
  ]
  const places = new Map(jobs.map((job) => [job.tenant_id, job]))
  const outcomes = ends.flatMap((end, n) => {
    const job = places.get(n)
    return job === undefined ? [] : [{ ...leaseOf(job), ...end }]
  })
  expect(await settle(db, 'mail_jobs', outcomes, { ...known, columns: ['result'] })).toHaveLength(6)
  expect(await statuses()).toEqual([
    ...['succeeded', 'retry', 'failed', 'timed_out', 'not_started', 'cancelled'],
    'running',
  ])
  expect(await release(db, 'mail_jobs', urgent === undefined ? [] : [leaseOf(urgent)], known)).toHaveLength(1)
  expect(await nextDueAt(db, 'mail_jobs', { columns: ['priority'] })).toBeLessThanOrEqual(0)
})

test('what dead workers left is taken over', async () => {
  await enqueue(db, 'mail_jobs', notes(2))
  await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })
  await plain
    .updateTable('mail_jobs')
    .set({ locked_at: new Date(0) })
    .execute()
  expect(await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 10, ...known })).toHaveLength(2)
  expect(await statuses()).toEqual(['retry', 'retry'])
})

test('jobs are cancelled, retried, rescheduled, deleted, counted and pruned, by their ids or by a condition', async () => {
  const jobs = await enqueue(db, 'mail_jobs', notes(4))
  const ids = jobs.map(({ id }) => id)
  const of = (tenant: number) => ({ where: (job: any) => job('tenant_id', '=', tenant) })
  expect(await cancelJobs(db, 'mail_jobs', { ids })).toHaveLength(4)
  expect(await retryJobs(db, 'mail_jobs', of(0))).toHaveLength(1)
  expect(await rescheduleJobs(db, 'mail_jobs', of(0), { delay: '1h' })).toHaveLength(1)
  expect(await deleteJobs(db, 'mail_jobs', of(1))).toHaveLength(1)
  expect(await jobStates(db, 'mail_jobs', ids)).toHaveLength(3)
  expect(await countJobs(db, 'mail_jobs', { exact: true })).toMatchObject({
    statuses: { job_status_not_started: 1, job_status_cancelled: 2 },
  })
  expect(await pruneJobs(db, 'mail_jobs', { olderThan: 0 })).toBe(2)
})

test('a worker does each job once, completes in transactions and tries again what fails', async () => {
  await enqueue(db, 'mail_jobs', notes(50))
  const ran: string[] = []
  const started = createWorker(
    db,
    'mail_jobs',
    async ({ note }, { attempt, complete }) => {
      if (note === '7' && attempt === 1) throw new Error('once')
      if (note === '8') await db.transaction().execute((trx) => complete(trx))
      ran.push(note)
    },
    { logger: quiet, pollInterval: '20ms', backoff: { delay: 0, factor: 1, max: 0, jitter: 0.5 } },
  )
  const errors: unknown[] = []
  started.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => started.stop({ deadline: 0 }).then(() => {}))
  const retried = next(started, 'succeeded', ({ attempt }: { attempt: number }) => attempt === 2)
  const idle = next(started, 'idle')
  await started.start()
  await Promise.all([retried, idle])
  expect(ran.toSorted()).toEqual(
    notes(50)
      .map(({ note }) => note)
      .toSorted(),
  )
  expect(errors).toEqual([])
})
