import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { type BackoffRule, DurationError, exponential, JitterError, linear } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { backoffDelay, isDue, isRetryDue, settle } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { someone } from './mail-jobs.js'

const { db } = await testDatabase((handle) => createJobTable(handle, 'mail_jobs', undefined, { notify: 'none' }))

/** The delays that the database computes after so many attempts each, in milliseconds. */
async function delays(rule: BackoffRule, attempts: number[], handle: Kysely<any> = db): Promise<number[]> {
  const { rows } = await sql<{ delay: number }>`
    select ${backoffDelay(rule)} as delay
    from unnest(${attempts}::int[]) with ordinality as jobs(attempts_count, place) order by place`.execute(handle)
  return rows.map(({ delay }) => delay)
}

const attempt = fc.integer({ min: 1, max: 2_147_483_647 })
const delay = fc.nat(86_400_000_000).map((microseconds) => microseconds / 1000)
const jitter = fc.nat(1000).map((thousandths) => thousandths / 1000)

test('linear waits the same before each retry', async () => {
  expect(await delays(linear({ delay: '30s' }), [1, 2, 3, 1000])).toEqual([30_000, 30_000, 30_000, 30_000])
})

test('exponential doubles from the first retry on, up to a day or the maximum given', async () => {
  expect(await delays(exponential({ delay: '1s' }), [1, 2, 3, 4, 5])).toEqual([1000, 2000, 4000, 8000, 16_000])
  expect(await delays(exponential({ delay: '1s' }), [17, 18, 100])).toEqual([65_536_000, 86_400_000, 86_400_000])
  expect(await delays(exponential({ delay: '1s', max: '5s' }), [1, 2, 3, 4])).toEqual([1000, 2000, 4000, 5000])
  expect(await delays(exponential({ delay: '10s', max: '5s' }), [1, 2])).toEqual([5000, 5000])
})

test('a row that was never tried, or has a count below, waits as after the first attempt', async () => {
  expect(await delays(exponential({ delay: '1s' }), [0, -1, -2_147_483_648])).toEqual([1000, 1000, 1000])
})

test('no number of attempts overflows: two billion wait the maximum', async () => {
  expect(await delays(exponential({ delay: 1, max: '1000000d' }), [54, 2_147_483_647])).toEqual(
    [2 ** 52, 2 ** 52].map((wait) => Math.min(wait, 86_400_000 * 1e6)),
  )
  expect(await delays(exponential({ delay: '1000000d', max: '1000000d' }), [2_147_483_647])).toEqual([8.64e13])
})

test('each delay is delay · 2^(attempts − 1), capped: property', async () => {
  await fc.assert(
    fc.asyncProperty(delay, delay, fc.array(attempt, { minLength: 1 }), async (first, max, attempts) => {
      const expected = attempts.map((count) => Math.min(max, first * 2 ** Math.min(count - 1, 52)))
      expect(await delays(exponential({ delay: first, max }), attempts)).toEqual(expected)
    }),
    { numRuns: 50 },
  )
})

test('jitter only shortens a delay, by no more than its share: property', async () => {
  await fc.assert(
    fc.asyncProperty(delay, jitter, fc.array(attempt, { minLength: 1 }), async (first, share, attempts) => {
      const whole = await delays(exponential({ delay: first }), attempts)
      const drawn = await delays(exponential({ delay: first, jitter: share }), attempts)
      for (const [index, wait] of drawn.entries()) {
        const most = whole[index] ?? 0
        expect(wait).toBeLessThanOrEqual(most)
        expect(wait).toBeGreaterThanOrEqual(most * (1 - share) * (1 - 1e-9))
      }
    }),
    { numRuns: 50 },
  )
})

test('jitter differs from row to row, so that jobs that failed together do not come back together', async () => {
  const drawn = await delays(linear({ delay: '1h', jitter: 0.5 }), Array(100).fill(1))
  expect(new Set(drawn).size).toBeGreaterThan(90)
})

test.each([
  ['a delay that is no number', () => linear({ delay: Number.NaN }), DurationError],
  ['a delay in the past', () => linear({ delay: -1 }), DurationError],
  ['an endless delay', () => linear({ delay: Number.POSITIVE_INFINITY }), DurationError],
  ['a delay without a unit', () => linear({ delay: 'soon' as never }), DurationError],
  ['a negative maximum', () => exponential({ delay: 1, max: -1 }), DurationError],
  ['a maximum that is no number', () => exponential({ delay: 1, max: Number.NaN }), DurationError],
  ['a negative jitter', () => linear({ delay: 1, jitter: -0.1 }), JitterError],
  ['a jitter above 1', () => linear({ delay: 1, jitter: 1.1 }), JitterError],
  ['a jitter that is no number', () => exponential({ delay: 1, jitter: Number.NaN }), JitterError],
  ['a jitter as text', () => exponential({ delay: 1, jitter: '0.5' as never }), JitterError],
])('%s is refused', (_, make, error) => {
  expect(make).toThrow(error)
})

/** Jobs that failed under a backoff so many seconds ago each, after one attempt, two, three ... */
async function failedJobs(rule: BackoffRule, ages: number[]): Promise<void> {
  await db.deleteFrom('mail_jobs').execute()
  const held = { status: 'job_status_running', locked_by: someone }
  const jobs = await db
    .insertInto('mail_jobs')
    .values(ages.map((_, index) => ({ ...held, attempts_count: index + 1 })))
    .returning(['id', 'attempts_count'])
    .execute()
  const outcomes = jobs.map((job) => ({ id: job.id, attempt: job.attempts_count, kind: 'retry', error: 'no' }) as const)
  await settle(db, 'mail_jobs', outcomes, { worker: someone, backoff: rule })
  const passed = sql`(${ages}::int[])[attempts_count] * interval '1 second'`
  await db
    .updateTable('mail_jobs')
    .set({ run_at: sql`run_at - ${passed}`, updated_at: sql`updated_at - ${passed}` })
    .execute()
}

test("what the seed's predicate lets through is what our run_at lets through: property", async () => {
  const rules = fc.oneof(
    fc.integer({ min: 0, max: 3600 }).map((seconds) => linear({ delay: seconds * 1000 + 500 })),
    fc
      .record({ delay: fc.integer({ min: 1, max: 600 }), max: fc.integer({ min: 1, max: 7200 }) })
      .map((seconds) => exponential({ delay: seconds.delay * 1000 + 500, max: seconds.max * 1000 + 500 })),
  )
  const ages = fc.array(fc.integer({ min: 0, max: 7200 }), { minLength: 1, maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(rules, ages, async (rule, seconds) => {
      await failedJobs(rule, seconds)
      const ours = await db.selectFrom('mail_jobs').select('id').where(isDue()).orderBy('id').execute()
      const seeds = await db.selectFrom('mail_jobs').select('id').where(isRetryDue(rule)).orderBy('id').execute()
      expect(seeds).toEqual(ours)
    }),
    { numRuns: 15 },
  )
})

test("in the user's own query the seed's predicate names its table", () => {
  const query = db
    .selectFrom('mail_jobs')
    .select('id')
    .where(isRetryDue(linear({ delay: '30s' }), 'mail_jobs'))
  expect(query.compile().sql).toBe(
    'select "id" from "mail_jobs" where "mail_jobs"."updated_at" <= now() - least($1::float8, $2::float8 * power(1::float8, least(greatest("mail_jobs"."attempts_count", 1) - 1, 52)))::float8 * interval \'1 millisecond\'',
  )
})
