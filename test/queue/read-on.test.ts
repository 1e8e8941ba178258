import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, nextDueAt } from 'kysely-jobs/queue'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Since } from '../../src/queue/claim.js'
import { compileFetch } from '../../src/queue/fetch.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { statistics } from './large-table.js'
import { rolledBack, worker } from './mail-jobs.js'

const { db, pool } = await testDatabase()

/** All jobs were due here, one a millisecond; the first of them an hour ago. */
const worked = 50_000
const first = new Date(Date.now() - 3_600_000)
const last = new Date(first.getTime() + worked)
const before = (seconds: number) => new Date(last.getTime() - seconds * 1000)

const levels = [40, 30, 20, 10, 0]

/** Where somebody stands who worked off five levels, each but for so many seconds. */
const after = (behind: (level: number) => number): Since => ({
  runAt: last,
  others: '-infinity',
  levels: `{${levels}}`,
  times: `{${levels.map((level) => before(behind(level)).toISOString())}}`,
})

/** Two tables just after they were worked off: nobody has come to clean up, and somebody's snapshot keeps everybody from it. */
beforeAll(async () => {
  const held = await pool.connect()
  afterAll(() => held.release())
  await held.query('begin isolation level repeatable read; select from pg_catalog.pg_class limit 1')
  for (const table of ['plain_jobs', 'level_jobs']) {
    const columns = columnsOf(table)
    await createJobTable(db, table, (builder) => builder.addColumn('to', 'text'), { columns, notify: 'none' })
    await sql`alter table ${sql.table(table)} set (autovacuum_enabled = off)`.execute(db)
    const level = columns.length > 0 ? [sql`, priority`, sql`, n % 5 * 10`] : [sql``, sql``]
    await sql`insert into ${sql.table(table)} (run_at ${level[0]})
      select ${first}::timestamptz + n * interval '1 millisecond' ${level[1]} from generate_series(1, ${worked}) n`.execute(
      db,
    )
    await sql`update ${sql.table(table)} set status = 'job_status_succeeded'`.execute(db)
  }
})

const columnsOf = (table: string) => (table === 'plain_jobs' ? [] : ['priority' as const])

function fetchFrom(db: Kysely<any>, table: string, limit: number, from: Since) {
  const jobs = jobsOf(db, table)
  return compileFetch(jobs, { worker, columns: columnsOf(table), fromCursor: true })(jobs.db, { limit, since: from })
}

const names = (rows: readonly object[]) => rows.map((row) => Reflect.get(row, 'to'))

const due = (level: number, behind: number) => ({
  to: `${level}, ${behind} s`,
  priority: level,
  run_at: before(behind),
})

describe.each(statistics)('with the statistics %s', (state) => {
  beforeAll(async () => {
    if (state === 'fresh') await sql`analyze plain_jobs, level_jobs`.execute(db)
  })

  test.each(['plain_jobs', 'level_jobs'])(
    'just after many jobs were worked off, a claim from %s and the question for the next are quick',
    async (table) => {
      const [claim] = await plansOf(pool, (handle) =>
        fetchFrom(
          handle,
          table,
          10,
          after(() => 0),
        ),
      )
      expect(claim?.buffers).toBeLessThanOrEqual(60)
      const [question] = await plansOf(pool, (handle) =>
        nextDueAt(handle, table, { columns: columnsOf(table), dueSince: last }),
      )
      expect(question?.buffers).toBeLessThanOrEqual(60)
    },
  )
})

test('the highest level comes first, whether it was ever claimed from or not, and what is due before the cursor waits', async () => {
  const since = after((level) => level / 10)
  await rolledBack(db, async (trx) => {
    const jobs = [
      due(50, 3600),
      due(40, -1),
      due(40, 5),
      due(35, 3600),
      due(20, 1),
      due(20, 3),
      due(0, -1),
      due(-1, 3600),
    ]
    await enqueue(trx, 'level_jobs', jobs)
    expect(names(await fetchFrom(trx, 'level_jobs', 4, since))).toEqual([
      '50, 3600 s',
      '40, -1 s',
      '35, 3600 s',
      '20, 1 s',
    ])
    expect(names(await fetchFrom(trx, 'level_jobs', 9, since))).toEqual(['0, -1 s', '-1, 3600 s'])
    expect(names(await fetchNextJobs(trx, 'level_jobs', { worker, limit: 9, columns: ['priority'] }))).toEqual([
      '40, 5 s',
      '20, 3 s',
    ])
  })
})

test('of a level at which very many jobs are due no more is read than is claimed', async () => {
  await createJobTable(db, 'deep_jobs', (builder) => builder.addColumn('to', 'text'), { columns: ['priority'] })
  await sql`insert into deep_jobs (run_at, priority)
    select ${last}::timestamptz + n * interval '1 millisecond', n % 2 from generate_series(1, 20000) n`.execute(db)
  await sql`analyze deep_jobs`.execute(db)
  const from = { runAt: last, levels: '{1}', times: `{${last.toISOString()}}`, others: '-infinity' }
  const [plan] = await plansOf(pool, (handle) => fetchFrom(handle, 'deep_jobs', 1000, from))
  expect(plan?.scans).not.toContain('Bitmap Heap Scan: deep_jobs') // it would sort what it finds
})
