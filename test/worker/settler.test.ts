import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { realJobsOf } from '../../src/schema/job-database.js'
import { settingsOf } from '../../src/worker/options.js'
import { LeaseLostError } from '../../src/worker/run/abort-reason.js'
import { Attempt } from '../../src/worker/run/attempt.js'
import type { WorkerScope } from '../../src/worker/scope.js'
import { type Entry, takeBatch } from '../../src/worker/settle/batch.js'
import { Settler } from '../../src/worker/settle/settler.js'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const worker = '11111111-1111-4111-8111-111111111111'

/** A settler without a worker, and attempts that it may settle; what it tells is kept. */
async function settlerOf(count: number) {
  const values = Array.from({ length: count }, (_, n) => ({ to: `${n}` }))
  await enqueue(db, 'mail_jobs', values)
  const rows = await fetchNextJobs(db, 'mail_jobs', { worker, limit: count })
  const attempts = rows.sort((a, b) => Number(a.to) - Number(b.to)).map((row) => new Attempt(row, performance.now()))
  const told: string[] = []
  let wrote = 0
  const scope = {
    worker,
    settings: settingsOf({ logger: quiet, lease: '1s' }),
    jobs: realJobsOf(db, { schema: 'public', name: 'mail_jobs' }),
    columns: [],
    finished: {},
    hears: () => true,
    tell: (name: string, { job }: { job: { to: string } }) => told.push(`${job.to} ${name}`),
    report: () => {},
  } as unknown as WorkerScope // what a settler knows of its worker
  const settler = new Settler(
    scope,
    () => {},
    () => {
      wrote = told.length
    },
  )
  const end = (attempt: Attempt | undefined, effect?: Entry['effect']) => {
    if (attempt?.end()) settler.add(attempt, { kind: 'succeeded', ...(effect && { effect }) })
  }
  return { settler, attempts, told, end, wrote: () => wrote }
}

test('an outcome whose effect fails holds up no other, and becomes a failure that says why', async () => {
  const { settler, attempts, told, end } = await settlerOf(4)
  for (const attempt of attempts) {
    const isBad = attempt === attempts[2]
    end(attempt, isBad ? () => Promise.reject(Object.assign(new Error('gone'), { code: '42P01' })) : async () => {})
  }
  expect(settler.unwritten).toBe(4)
  const heartbeat = setInterval(() => {
    for (const attempt of attempts) attempt.renewed(performance.now())
  }, 100)
  onTestFinished(() => clearInterval(heartbeat))
  await settler.drained()
  expect(told.toSorted()).toEqual(['0 succeeded', '1 succeeded', '2 retry', '3 succeeded'])
  expect(settler.unwritten).toBe(0)
  const row = await db.selectFrom('mail_jobs').select('last_error').where('to', '=', '2').executeTakeFirstOrThrow()
  expect(row.last_error).toMatch(/refused for 1000 ms\ncaused by EffectError.*\ncaused by Error: gone/)
})

test('it is full of 2,000 outcomes, and tells when some of them are written', async () => {
  const { settler, attempts, told, end, wrote } = await settlerOf(2_001)
  for (const attempt of attempts) end(attempt)
  expect(settler.isFull).toBe(true)
  await settler.drained()
  expect(settler.isFull).toBe(false)
  expect(wrote()).toBe(told.length)
})

test('an outcome of a job that came again meanwhile is not written: of the two attempts the row is the second one’s', async () => {
  const { settler, attempts, told, end } = await settlerOf(1)
  const [first] = attempts
  end(first)
  first?.supersede(new LeaseLostError('it came again'))
  await settler.drained()
  expect(told).toEqual(['0 lost'])
  expect((await sql`select status from mail_jobs`.execute(db)).rows).toEqual([{ status: 'job_status_running' }])
})

test('a batch is bounded by its entries and by the size of its results; one that is very large goes alone', () => {
  const entry = (length: number) => ({ kind: 'succeeded', json: 'x'.repeat(length) }) as Entry // what a batch looks at
  const sizes = (pending: Entry[]) => {
    const batches: number[] = []
    while (pending.length > 0) batches.push(takeBatch(pending).length)
    return batches
  }
  expect(sizes(Array.from({ length: 2_500 }, () => entry(10)))).toEqual([1_000, 1_000, 500])
  expect(sizes([10, 2_000_000, 10, 10].map(entry))).toEqual([1, 1, 2])
  expect(sizes(Array.from({ length: 40 }, () => entry(1_000_000)))).toEqual([16, 16, 8])
  expect(sizes([entry(50_000_000)])).toEqual([1])
})
