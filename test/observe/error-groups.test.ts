import fc from 'fast-check'
import { CamelCasePlugin, sql } from 'kysely'
import { retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeAll, describe, expect, test } from 'vitest'
import { countMatching } from '../../src/observe/count-matching.js'
import { errorGroups } from '../../src/observe/error-groups.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { selectionOf } from '../../src/observe/selection.js'
import { shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'
import { plansOf } from '../support/plan.js'

const { db, pool } = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('n', 'integer'), { archive: {}, notify: 'none' }),
)
const view = await jobView(db, 'mail_jobs')

async function fill(errors: readonly (string | null)[], status = 'failed', table = 'mail_jobs'): Promise<void> {
  if (errors.length === 0) return
  const rows = errors.map((last_error, n) => {
    const job = {
      id: sql`gen_random_uuid()`,
      status: `job_status_${status}`,
      last_error,
      n,
      attempts_count: 1,
      created_at: sql`now()`,
      run_at: sql`now()`,
      updated_at: sql`now()`,
    }
    return job
  })
  await db
    .insertInto(table)
    .values(rows as any)
    .execute()
}

const empty = () => sql`truncate mail_jobs, mail_jobs_archive`.execute(db)

test.each<[message: string, ...errors: string[]]>([
  ['connect ECONNREFUSED <n>:<n>', 'connect ECONNREFUSED 10.0.0.1:5432', 'connect ECONNREFUSED 127.0.0.1:80'],
  [
    "User <uuid> can't be found",
    "User 4f8a2c11-1111-4222-8333-123456789abc can't be found",
    "User 00000000-0000-4000-8000-000000000000 can't be found",
  ],
  ['No template <text>', 'No template "welcome"', 'No template "good bye"', "No template 'x'", 'No template `y`'],
  [
    'bad address <email> of <url>',
    'bad address ada@example.com of https://a.example/b?c=1',
    'bad address b.o-b+x@mail.example.co of http://x',
  ],
  [
    'ENOENT: open <path>, line <n>',
    'ENOENT: open /var/lib/a.txt, line 3',
    'ENOENT: open ./b, line 77',
    'ENOENT: open C:\\temp\\c, line 1',
  ],
  [
    'timed out at <date> after <n>ms',
    'timed out at 2026-01-01T00:00:00.123Z after 30000ms',
    'timed out at 2026-02-03 after 1.5ms',
  ],
  ['block <hex> is broken', 'block 0xFF is broken', 'block deadbeef01 is broken'],
  ['It is late', 'It is late\n    at line 1', 'It  is   late\n  at line 2', ' It is late '],
  ['decade facade', 'decade facade'],
])('errors of one kind are one group: %s', async (message, ...errors) => {
  await empty()
  await fill([...errors, 'another', null])
  const { groups, looked } = await errorGroups(db, view)
  const [group] = groups.filter((each) => each.message === message)
  expect(group).toMatchObject({ count: errors.length, failed: errors.length, retrying: 0 })
  expect(groups).toHaveLength(2)
  expect(looked).toEqual({ at: 10_000, isAll: true })
})

test('a group tells how many have failed for good, when, and an example', async () => {
  await empty()
  await fill(['Error 1', 'Error 2', 'Error 3'])
  await fill(['Error 4'], 'timed_out', 'mail_jobs_archive')
  await fill(['Error 5'], 'retry')
  await fill(['Error 6'], 'succeeded')
  await sql`update mail_jobs set updated_at = now() - case n when 0 then interval '1 min' when 1 then interval '90 min' else interval '30 h' end where status <> 'job_status_retry'`.execute(
    db,
  )
  const { groups, others } = await errorGroups(db, view)
  const [group] = groups
  expect(group).toEqual({
    ...{
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      message: 'Error <n>',
      example: expect.stringMatching(/^Error [45]$/),
    },
    ...{ count: 5, failed: 4, retrying: 1, firstSeen: expect.any(String), lastSeen: expect.any(String) },
    hours: [...Array.from({ length: 22 }, () => 0), 1, 3],
  })
  expect(Date.parse(group?.lastSeen ?? '') - Date.parse(group?.firstSeen ?? '')).toBeGreaterThan(29 * 3_600_000)
  expect([groups.length, others]).toEqual([1, 0])
})

test('the jobs of a group are listed, counted and retried by its fingerprint', async () => {
  await empty()
  await fill(['Error 1', 'Error 2', 'Other'])
  await fill(['Error 3'], 'failed', 'mail_jobs_archive')
  const [{ fingerprint } = { fingerprint: '' }] = (await errorGroups(db, view)).groups
  const { jobs } = await findJobs(db, view, { fingerprint })
  expect(jobs.map(({ error }) => error.text).toSorted()).toEqual(['Error 1', 'Error 2', 'Error 3'])
  expect(await countMatching(db, view, shownStates, [], fingerprint)).toMatchObject({ count: 3, isAll: true })
  const camel = db.withPlugin(new CamelCasePlugin())
  expect(await retryJobs(camel, 'mailJobs', selectionOf(view, shownStates, [], fingerprint))).toHaveLength(3)
  expect((await findJobs(db, view, { states: ['failed'] })).jobs.map(({ error }) => error.text)).toEqual(['Other'])
  for (const none of ['', 'x', "' or true --", fingerprint.toUpperCase()]) {
    await expect(findJobs(db, view, { fingerprint: none })).rejects.toMatchObject({ code: 'FILTER' })
  }
})

test('whatever the errors say, each is in one group, and its fingerprint finds just its jobs', async () => {
  const word = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.constantFrom('12', '"', "'", '`', '0x1f', 'a@b.c', '/x/y', '2026-01-01', '\n', '<n>', '\\', 'ß'),
  )
  const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' ').replaceAll('\0', '').toWellFormed())
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 6 }), async (errors) => {
      await empty()
      await fill(errors)
      const { groups } = await errorGroups(db, view)
      const found: string[] = []
      for (const { fingerprint, count } of groups) {
        const { jobs } = await findJobs(db, view, { fingerprint, columns: ['n'] })
        expect(jobs).toHaveLength(count)
        found.push(...jobs.map(({ values }) => String(values.get('n')?.text)))
      }
      expect(found.toSorted()).toEqual(errors.map((_, n) => String(n)))
    }),
    { numRuns: 25 },
  )
})

test('jobs that have not failed are in no group', async () => {
  await empty()
  await sql`insert into mail_jobs (status, last_error) values ('job_status_not_started', 'Error: put back by hand'), ('job_status_retry', 'Error: to be tried again')`.execute(
    db,
  )
  expect((await errorGroups(db, view)).groups).toMatchObject([
    { message: 'Error: to be tried again', failed: 0, retrying: 1 },
  ])
})

test("a seed's table, one with priorities, and one whose errors have a collation of their own have groups", async () => {
  await using seed = await createTestDatabase()
  await createIhpTable(seed.db)
  await sql`insert into send_mail_jobs (recipient, status, last_error) values ('a', 'job_status_failed', 'Error 1'), ('b', 'job_status_retry', 'Error 2')`.execute(
    seed.db,
  )
  expect((await errorGroups(seed.db, await jobView(seed.db, 'send_mail_jobs'))).groups).toMatchObject([
    { count: 2, retrying: 1 },
  ])
  await sql`create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`.execute(db)
  await createJobTable(db, 'level_jobs', undefined, { columns: ['priority'] })
  await sql`alter table level_jobs alter last_error type text collate any_case; insert into level_jobs (status, last_error) values ('job_status_failed', 'Error 1'), ('job_status_failed', 'Error 2')`.execute(
    db,
  )
  const level = await jobView(db, 'level_jobs')
  expect((await errorGroups(db, level)).groups).toMatchObject([{ count: 2 }])
  expect((await findJobs(db, level)).jobs).toHaveLength(2)
})

describe('of 200,000 jobs', () => {
  beforeAll(async () => {
    await createJobTable(db, 'large_jobs', undefined, { notify: 'none' })
    await sql`alter table large_jobs set (autovacuum_enabled = off); analyze large_jobs;
      insert into large_jobs (status, last_error, updated_at, run_at) select (case when n % 4 = 0 then 'job_status_retry' when n % 4 = 1 then 'job_status_succeeded' else 'job_status_failed' end)::job_status,
        'Error ' || n % 30 || ' of user ' || n, now() - n * interval '1 s', now() + (3600 + n) * interval '1 s' from generate_series(1, 200000) n`.execute(
      db,
    )
  })

  test.each(['of an empty table', 'fresh'])(
    'the latest of each status are looked at, with statistics %s',
    async (statistics) => {
      if (statistics === 'fresh') await sql`analyze large_jobs`.execute(db)
      const large = await jobView(db, 'large_jobs')
      const { groups, looked } = await errorGroups(db, large)
      expect(groups).toMatchObject([
        { message: 'Error <n> of user <n>', count: 20_000, failed: 10_000, retrying: 10_000 },
      ])
      expect(looked.isAll).toBe(false)
      const plans = (await plansOf(pool, (handle) => errorGroups(handle, large))).filter(({ sql }) =>
        sql.includes('"large_jobs"'),
      )
      expect(plans.flatMap(({ scans }) => scans)).not.toContain('Seq Scan: large_jobs')
      for (const { buffers } of plans) expect(buffers).toBeLessThanOrEqual(6000) // 2,500 and 2,500
    },
  )

  test('more groups than people read are counted', async () => {
    await empty()
    await sql`insert into mail_jobs (status, last_error) select 'job_status_failed', repeat('x', n) from generate_series(1, 120) n`.execute(
      db,
    )
    const { groups, others } = await errorGroups(db, view)
    expect([groups.length, others]).toEqual([100, 20])
  })
})

test('of errors that differ in thousands of ways the latest are grouped, and it is said; those that differ in numbers alone are all', async () => {
  await empty()
  const several = (error: string) =>
    sql`insert into mail_jobs (status, last_error, updated_at)
    select 'job_status_failed', ${sql.raw(error)}, now() - n * interval '1 second' from generate_series(1, 6000) n`.execute(
      db,
    )
  await several(`'no user ' || n || ' at 2026-01-01T00:00:00.' || (100000 + n) || 'Z'`)
  expect(await errorGroups(db, view)).toMatchObject({
    groups: [{ message: 'no user <n> at <date>', count: 6000, example: 'no user 1 at 2026-01-01T00:00:00.100001Z' }],
    looked: { isAll: true },
  })
  await empty()
  await several(`'no user "' || md5(n::text) || '"'`)
  expect(await errorGroups(db, view)).toMatchObject({
    groups: [{ message: 'no user <text>' }],
    looked: { isAll: false },
  })
})
