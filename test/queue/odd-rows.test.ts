import { type Kysely, sql } from 'kysely'
import { enqueue, exponential, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, nextDueAt, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailJobs, worker } from './mail-jobs.js'

const { db } = await testDatabase(createMailJobs)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Jobs as a hand may leave them, and an ordinary one behind them. */
async function odd(...rows: string[]): Promise<void> {
  for (const row of rows) {
    const { id } = await enqueue(db, 'mail_jobs', { to: row.slice(0, 60) })
    await sql`update mail_jobs set ${sql.raw(row)} where id = ${id}`.execute(db)
  }
  await enqueue(db, 'mail_jobs', { to: 'ordinary' })
}

const fetched = async (handle: Kysely<any> = db) => {
  const jobs = await fetchNextJobs(handle, 'mail_jobs', { worker, limit: 100, columns: ['priority'] })
  return jobs.map(({ to, attempts_count }) => [to, attempts_count])
}

test('a count of attempts that can grow no more stays, and keeps nobody from being claimed', async () => {
  await odd('attempts_count = 2147483647', 'attempts_count = 2147483646', 'attempts_count = -2147483648')
  expect(new Map((await fetched()) as [string, number][])).toEqual(
    new Map([
      ['attempts_count = 2147483647', 2_147_483_647],
      ['attempts_count = 2147483646', 2_147_483_647],
      ['attempts_count = -2147483648', -2_147_483_647],
      ['ordinary', 1],
    ]),
  )
})

test.each([
  ['int2', 32_767],
  ['int8', '9223372036854775807'],
])('nor does it in a table that counts by %s; what was never counted begins at 1', async (type, last) => {
  const table = `jobs_by_${type}`
  await createJobTable(db, table, undefined, { notify: 'none' })
  await sql`alter table ${sql.table(table)} alter attempts_count type ${sql.raw(type)}, alter attempts_count drop not null`.execute(
    db,
  )
  for (const attempts_count of [last, null, 0]) await db.insertInto(table).values({ attempts_count }).execute()
  const jobs = await fetchNextJobs(db, table, { worker, limit: 9 })
  expect(jobs.map(({ attempts_count }) => String(attempts_count)).sort()).toEqual(['1', '1', String(last)].sort())
})

test('any time in the past is due, any in the future waits, and neither hides the others', async () => {
  const past = ['-infinity', '4713-11-24 00:00:00+00 BC', '0044-03-15 BC', '1970-01-01']
  const future = ['9999-12-31', '294276-12-31', 'infinity']
  await odd(...[...past, ...future].map((time) => `run_at = '${time}'`))
  expect((await fetched()).map(([to]) => to).sort()).toEqual(
    [...past.map((time) => `run_at = '${time}'`), 'ordinary'].sort(),
  )
  expect(await nextDueAt(db, 'mail_jobs')).toBeGreaterThan(2 ** 31)
  await sql`delete from mail_jobs where run_at < 'infinity'`.execute(db)
  expect(await nextDueAt(db, 'mail_jobs')).toBe(Number.POSITIVE_INFINITY)
})

test('a rescue takes over what is due since the first date that there is, and first of all', async () => {
  const left = `status = 'job_status_running', attempts_count = 1, locked_at = '-infinity'`
  await odd(
    `${left}, run_at = '4713-11-24 00:00:00+00 BC'`,
    `${left}, run_at = '-infinity'`,
    `${left}, run_at = now() - interval '1s'`,
  )
  const rescued = await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 3 })
  expect(rescued.map(({ status }) => status)).toEqual(Array(3).fill('job_status_retry'))
  expect((await fetched()).at(-1)?.[0]).toBe('ordinary')
})

test.each([10, 2 ** 31, Number.MAX_SAFE_INTEGER])(
  'a limit of %d attempts is one, also beyond what the column holds',
  async (maxAttempts) => {
    await odd(`status = 'job_status_running', attempts_count = 9, locked_at = '-infinity'`)
    const rescued = await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts, columns: ['max_attempts'] })
    expect(rescued).toMatchObject([{ attempt: 9, status: 'job_status_retry' }])
  },
)

test("under the seed's backoff no date of a failure is beyond reckoning", async () => {
  const failed = `status = 'job_status_retry', run_at = '-infinity'`
  await odd(
    `${failed}, updated_at = '294276-12-31'`,
    `${failed}, updated_at = 'infinity'`,
    `${failed}, updated_at = '-infinity', attempts_count = -2147483648`,
  )
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 9, retryBackoff: exponential({ delay: '1h' }) })
  expect(jobs.map(({ attempts_count }) => attempts_count)).toEqual([-2_147_483_647, 1])
})

test('the highest and the lowest priority are levels like any other', async () => {
  await odd('priority = -32768', 'priority = 32767')
  expect((await fetched()).map(([to]) => to)).toEqual(['priority = 32767', 'ordinary', 'priority = -32768'])
})

test('a pending job that a hand locked waits, and retryJobs frees it', async () => {
  await odd(`locked_by = gen_random_uuid()`)
  expect(await fetched()).toEqual([['ordinary', 1]])
  await retryJobs(db, 'mail_jobs', { where: (eb) => eb('status', '=', 'job_status_not_started') })
  expect(await fetched()).toHaveLength(1)
})
