import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { parseFilter } from '../../src/observe/filter-text.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { jobView } from '../../src/observe/view.js'
import { testDatabase } from '../support/database.js'
import { allPages } from './reading-all.js'

const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs', (table) => table.addColumn('n', 'integer'), {
    id: 'int',
    archive: {},
    notify: 'none',
  })
  await sql`create index on mail_jobs_archive (updated_at)`.execute(handle)
})

/** Jobs from `first` to `last`, each due a second (or so many) after the one before it; those that have ended did so then. */
const insert = (table: string, status: string, first: number, last: number, step: number) =>
  sql`
  insert into ${sql.table(table)} (id, status, attempts_count, created_at, run_at, updated_at, n)
  select n, ${sql.lit(`job_status_${status}`)}, 1, now(), t, t, n % 1000
  from generate_series(${sql.lit(first)}::int, ${sql.lit(last)}::int) n
  cross join lateral (select timestamptz '2026-01-01' + n * ${sql.lit(step)} * interval '1 s' as t) as x`.execute(db)

// The first look ends at a job that is meant.
test('what is rare among jobs in one state is found by looking further, both ways, each job once', async () => {
  await sql`truncate mail_jobs, mail_jobs_archive`.execute(db)
  await insert('mail_jobs', 'not_started', 1, 65_000, 1)
  const view = await jobView(db, 'mail_jobs')
  const query = { states: ['due' as const], filters: [parseFilter(view, 'n=0')], limit: 30 }
  const { forth, back } = await allPages(db, view, query)
  expect(forth).toEqual(Array.from({ length: 65 }, (_, n) => `${(n + 1) * 1000}`))
  expect(back).toEqual(forth)
  const nobody = await findJobs(db, view, { ...query, filters: [parseFilter(view, 'n=-1')] })
  expect(nobody).toMatchObject({
    jobs: [],
    next: expect.any(String),
    previous: undefined,
    looked: { at: 10_000, isAll: false },
  })
  // Among jobs in several states, of each the first are looked at.
  const among = await findJobs(db, view, { filters: query.filters })
  expect(among).toMatchObject({ jobs: { length: 10 }, next: undefined, looked: { isAll: false } })
})

test('it is looked further in a table and its archive at once', async () => {
  await sql`truncate mail_jobs, mail_jobs_archive`.execute(db)
  await insert('mail_jobs', 'succeeded', 1, 45_000, 2)
  await insert('mail_jobs_archive', 'succeeded', 45_001, 95_000, 1)
  const view = await jobView(db, 'mail_jobs')
  const { forth, back } = await allPages(db, view, {
    states: ['succeeded'],
    filters: [parseFilter(view, 'n=500')],
    limit: 30,
  })
  const time = (id: number) => (id > 45_000 ? id : 2 * id)
  const ids = Array.from({ length: 95 }, (_, n) => n * 1000 + 500).toSorted((a, b) => time(b) - time(a))
  expect(forth.map((told) => Number(told.split(' ')[0]))).toEqual(ids)
  expect(back).toEqual(forth)
})

test('thousands of jobs of one moment are paged through; beyond what is looked at it is said, and the list goes on', async () => {
  await sql`truncate mail_jobs, mail_jobs_archive`.execute(db)
  await insert('mail_jobs', 'failed', 1, 300, 0)
  const view = await jobView(db, 'mail_jobs')
  const few = await allPages(db, view, { states: ['failed'], limit: 70 })
  expect([new Set(few.forth).size, few.forth.length, few.back.length]).toEqual([300, 300, 300])
  await insert('mail_jobs', 'failed', 301, 25_000, 0)
  await insert('mail_jobs', 'failed', 30_000, 30_010, -1)
  const query = { states: ['failed' as const], filters: [parseFilter(view, 'n<11')], limit: 100 }
  const found: string[] = []
  let isAll = true
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await findJobs(db, view, { ...query, after })
    found.push(...page.jobs.map(({ id }) => id))
    isAll &&= page.looked.isAll
    after = page.next
  }
  expect(isAll).toBe(false)
  expect(new Set(found).size).toBe(found.length)
  expect(found.filter((id) => Number(id) >= 30_000)).toHaveLength(11) // those behind the many
  expect(found.length).toBeGreaterThan(100)
})
