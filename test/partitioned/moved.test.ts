import { sql } from 'kysely'
import { cancelJobs, enqueue, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { fetchNextJobs, inspectJobTable, leaseOf, rescue, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { worker } from '../queue/mail-jobs.js'
import { testDatabase } from '../support/database.js'
import { createPartitioned, insertJobs, statuses, untouched } from './shapes.js'

// Of a table that is partitioned by run_at, a row that gets another time gets another key, and goes to another partition.

const { db } = await testDatabase((handle) => createPartitioned(handle, 'by_time'))
const { key } = await inspectJobTable(db, 'by_time')

beforeEach(() => insertJobs(db, 'by_time'))

const partitionOf = async (note: string) => {
  const { rows } = await sql<{ name: string }>`
    select tableoid::regclass::text as name from by_time where note = ${note}`.execute(db)
  return rows.map(({ name }) => name)
}

test('a settle tells which of several retries it has written, also where they have one id', async () => {
  const jobs = await fetchNextJobs(db, 'by_time', { worker, limit: 10, key })
  const leases = new Map(jobs.map((job) => [job.note as string, leaseOf(job)]))
  const [good, bad] = ['good', 'bad'].map((note) => ({
    ...{ id: 0, attempt: 1, ...leases.get(note) },
    ...({ kind: 'retry', error: 'later', delay: 1.4e13 } as const),
  })) as [any, any]
  await cancelJobs(db, 'by_time', { where: (eb) => eb('note', '=', 'good') })
  expect(await settle(db, 'by_time', [good, bad], { worker, key })).toEqual([bad])
  expect(await statuses(db, 'by_time')).toEqual({ ...untouched, good: 'cancelled', bad: 'retry' })
  expect(await partitionOf('bad')).toEqual(['by_time_rest'])
})

test('what is rescued goes to where its time is', async () => {
  await fetchNextJobs(db, 'by_time', { worker, limit: 10, key })
  await sql`update by_time set locked_at = now() - interval '1 hour' where note in ('good', 'bad')`.execute(db)
  expect(await rescue(db, 'by_time', { lease: '1m', maxAttempts: 5, key })).toHaveLength(2)
  const again = await fetchNextJobs(db, 'by_time', { worker, limit: 10, key })
  expect(again.map(({ note }) => note).sort()).toEqual(['bad', 'good'])
})

test('thousands are put off, each once, though each leaves the partition that is read', async () => {
  await enqueue(
    db,
    'by_time',
    Array.from({ length: 3000 }, (_, n) => ({ note: `n${n}`, run_at: new Date(1e12 + n) })),
  )
  const many = { where: (eb: any) => eb('note', 'like', 'n%') }
  for (const to of [new Date(2e13), new Date(1e12), new Date(2e12)])
    expect(await rescheduleJobs(db, 'by_time', many, { to })).toHaveLength(3000)
  expect(await cancelJobs(db, 'by_time', many)).toHaveLength(3000)
  expect(await retryJobs(db, 'by_time', many)).toHaveLength(3000)
  const { rows } = await sql<{ count: number }>`select count(distinct note)::int as count from by_time`.execute(db)
  expect(rows).toEqual([{ count: 3004 }])
})
