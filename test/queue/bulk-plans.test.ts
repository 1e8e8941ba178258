import { type Kysely, sql } from 'kysely'
import { cancelJobs, deleteJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { type Plan, plansOf } from '../support/plan.js'
import { fillLargeTable, statistics } from './large-table.js'

const { db, pool } = await testDatabase()

beforeAll(() => fillLargeTable(db, 'plain_jobs', false))

/** Of one person, and where it says so of one status: conditions for which the table has partial indexes, and none. */
const of = (user: number, ...statuses: string[]) => ({
  where: (eb: any) =>
    eb.and([eb('user_id', '=', user), ...(statuses.length > 0 ? [eb('status', 'in', statuses)] : [])]),
})

const pending = ['job_status_not_started', 'job_status_retry']

/**
 * Each verb over thousands of 200,000 jobs, with how many it finds, and the most buffers that a chunk of a thousand may touch.
 * A row that is written touches about ten, most of them in the indexes that it leaves and enters. Measured on PG 18.4: a retry
 * touches 10,762 to 12,974, a cancel 14,979 to 16,050, a deletion 4,752 to 5,964, a reschedule 13,114 to 13,193.
 */
const verbs: [name: string, found: number, buffers: number, run: (db: Kysely<any>, options?: any) => Promise<any>][] = [
  ['retry', 4000, 20_000, (db, options) => retryJobs(db, 'plain_jobs', of(3), options)],
  [
    'retry of failed jobs',
    2000,
    20_000,
    (db, options) => retryJobs(db, 'plain_jobs', of(3, 'job_status_failed'), options),
  ],
  ['cancel', 2000, 20_000, (db, options) => cancelJobs(db, 'plain_jobs', of(40), options)],
  ['cancel of pending jobs', 2000, 20_000, (db, options) => cancelJobs(db, 'plain_jobs', of(40, ...pending), options)],
  ['delete', 4000, 8_000, (db, options) => deleteJobs(db, 'plain_jobs', of(3), options)],
  [
    'delete of failed jobs',
    2000,
    8_000,
    (db, options) => deleteJobs(db, 'plain_jobs', of(3, 'job_status_failed'), options),
  ],
  ['reschedule', 2000, 20_000, (db, options) => rescheduleJobs(db, 'plain_jobs', of(40), { delay: '1h', ...options })],
]

const ofTable = (plans: readonly Plan[]) => plans.filter(({ sql }) => sql.includes('"plain_jobs"'))

describe.each(statistics)('with the statistics %s', (state) => {
  beforeAll(async () => {
    if (state === 'fresh') await sql`analyze plain_jobs`.execute(db)
  })

  test.each(verbs)(
    '%s: one statement finds the jobs, then each thousand is one, by the primary key alone',
    async (_, found, buffers, run) => {
      const [keys, ...chunks] = ofTable(await plansOf(pool, run))
      expect(keys?.sql).toMatch(/^select/)
      expect(keys?.buffers).toBeLessThanOrEqual(4000) // 2,667 to 3,043: the table is read once
      expect(chunks).toHaveLength(found / 1000)
      for (const chunk of chunks) {
        expect(chunk.indexes).toEqual(['plain_jobs_pkey'])
        expect(chunk.scans).not.toContain('Seq Scan: plain_jobs')
        expect(chunk.buffers).toBeLessThanOrEqual(buffers)
      }
    },
  )

  test.each(verbs)(
    '%s as a dry run: one statement, which reads the table once at most',
    async (_, found, _buffers, run) => {
      let counted: unknown
      const [count, ...others] = ofTable(
        await plansOf(pool, async (explained) => {
          counted = await run(explained, { dryRun: true })
        }),
      )
      expect(others).toEqual([])
      expect(counted).toBe(found)
      expect(count?.buffers).toBeLessThanOrEqual(4000) // 2,667 to 3,063
    },
  )
})
