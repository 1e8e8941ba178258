import { sql } from 'kysely'
import { createJobHistory, createJobLimits, createJobRunners } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { limitsInUse } from '../../src/queue/limits-in-use.js'
import { historyOf } from '../../src/records/history.js'
import { runnersIn, writeRunner } from '../../src/records/runners.js'
import { sampleOf, takeTurn, writeSample } from '../../src/records/samples.js'
import { noStats } from '../../src/records/stats.js'
import { deleteHistory, writeHistory } from '../../src/records/write-history.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { fillLargeTable, statistics } from '../queue/large-table.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const tables = ['mail_jobs', 'urgent_jobs'] as const
const history = { schema: 'public', name: 'job_history' }
const runners = { schema: 'public', name: 'job_runners' }
const day = 86_400_000

/** The history of 70 tables over two days of minutes, as full as it gets: 200,000 rows; beside two job tables of 200,000 jobs. */
const { db, pool } = await testDatabase(async (db) => {
  await createJobHistory(db)
  await createJobRunners(db)
  await createJobLimits(db)
  for (const table of tables) await fillLargeTable(db, table, table === 'urgent_jobs')
  await sql`
    insert into job_history (job_schema, job_table, step, began_at, wait_counts, duration_counts)
    select 'public', case t when 1 then 'mail_jobs' else 'jobs_' || t end, 'minute', date_bin('1 minute', now(), timestamptz 'epoch') - n * interval '1 minute',
      array_fill(7, array[55]), array_fill(7, array[55])
    from generate_series(1, 70) t, generate_series(0, 2859) n`.execute(db)
})

test.each(statistics)('a sample reads ten thousand jobs at most, by indexes: statistics %s', async (kind) => {
  if (kind === 'fresh') for (const table of tables) await sql`analyze ${sql.table(table)}`.execute(db)
  for (const table of tables) {
    const plans = await plansOf(pool, async (handle) => {
      const sample = await sampleOf(jobsOf(handle, '').db, { schema: 'public', name: table })
      expect(sample).toMatchObject({ due: 9000, pending: 10_000, running: 1000 })
    })
    const sampled = plans.at(-1)
    expect(sampled?.scans.filter((scan) => scan.startsWith('Seq Scan'))).toEqual([])
    expect(sampled?.buffers).toBeLessThan(kind === 'fresh' ? 4_000 : 11_500)
  }
})

test.each(statistics)('how far limits are used is read of what runs, by its index: statistics %s', async (kind) => {
  if (kind === 'fresh') for (const table of tables) await sql`analyze ${sql.table(table)}`.execute(db)
  for (const table of tables) {
    const plans = await plansOf(pool, async (handle) => {
      const keyed = { by: ['user_id'], max: 1_000_000, total: 2_000 }
      const used = await limitsInUse(jobsOf(handle, table), { schema: 'public', name: table }, keyed)
      expect(used).toEqual({ share: 0.5, full: 0 })
    })
    const used = plans.at(-1)
    expect(used?.scans.filter((scan) => scan.includes(table) && scan.startsWith('Seq Scan'))).toEqual([])
    expect(used?.buffers).toBeLessThan(3_000)
  }
})

test.each(statistics)(
  'to write and read history takes some pages, however much there is: statistics %s',
  async (kind) => {
    if (kind === 'fresh') await sql`analyze job_history`.execute(db)
    const of = { schema: 'public', name: 'mail_jobs' }
    const stats = { ...noStats, succeeded: 5, wait: { counts: [1, 2], sum: 3 } }
    const [written, turn, sampled, read, deleted] = await plansOf(pool, async (handle) => {
      const { db } = jobsOf(handle, '')
      await writeHistory(db, history, [{ of, stats }])
      await takeTurn(db, history, [of])
      await writeSample(db, history, of, { due: 1, pending: 2, running: 3, oldestWait: null })
      const points = await historyOf(db, history, of, {
        from: new Date(Date.now() - day),
        to: undefined,
        step: 'minute',
      })
      expect(points.length).toBeGreaterThan(1440)
      await deleteHistory(db, history, { minute: 2 * day, hour: 30 * day })
    })
    for (const plan of [written, turn, sampled, read, deleted])
      expect(plan?.scans.filter((scan) => scan === 'Seq Scan: job_history')).toEqual([])
    expect(written?.buffers).toBeLessThan(60)
    expect(turn?.buffers).toBeLessThan(30)
    expect(sampled?.buffers).toBeLessThan(60)
    expect(read?.buffers).toBeLessThan(8_000)
    expect(deleted?.buffers).toBeLessThan(60)
  },
)

test('a runner is written by a few pages, beside a hundred others', async () => {
  await sql`
    insert into job_runners (id, host, pid, package_version, node_version, started_at, workers)
    select gen_random_uuid(), 'a', n, '1', '1', now(), '[]' from generate_series(1, 100) n`.execute(db)
  const runner = { host: 'a', pid: 1, version: '1', nodeVersion: '1', uptime: 0, workers: [] }
  const [written, listed] = await plansOf(pool, async (handle) => {
    await writeRunner(jobsOf(handle, '').db, runners, { ...runner, id: '0192f0c4-0000-8000-8000-000000000000' })
    expect(await runnersIn(jobsOf(handle, '').db, runners)).toHaveLength(101)
  })
  expect(written?.buffers).toBeLessThan(40)
  expect(listed?.buffers).toBeLessThan(20)
})
