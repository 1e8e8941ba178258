import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { cancelJobs, linear, pruneJobs, retryJobs } from 'kysely-jobs'
import {
  fetchNextJobs,
  findExpired,
  heartbeat,
  jobStates,
  type Lease,
  nextDueAt,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { tokensOf } from '../../src/schema/lease-token.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { fillLargeTable, statistics, worker } from './large-table.js'

const { db, pool } = await testDatabase()
const { rows: settings } = await sql<{ version: number }>`
  select current_setting('server_version_num')::int as version`.execute(db)
const version = settings[0]?.version ?? 0

beforeAll(async () => {
  await Promise.all([fillLargeTable(db, 'plain_jobs', false), fillLargeTable(db, 'level_jobs', true)])
  await holdSnapshot()
})

/**
 * Keeps what earlier verbs left dead from being cleaned up. Without it that depends on whether autovacuum just analyses some
 * table of this database: while its snapshot lives, pages are not pruned, rows that are written find no room in theirs, and
 * each of their indexes gets an entry (a heartbeat of 100 touched 962 buffers, and 1,725 then). So it is always the worst case.
 */
async function holdSnapshot(): Promise<void> {
  const held = await pool.connect()
  afterAll(() => held.release())
  await held.query('begin isolation level repeatable read')
  await held.query('select from plain_jobs limit 1')
}

/** As a worker gives it, so that a fetch claims what was left locked too. */
const lease = '60s'

/** What a verb is tried on. */
interface Trial {
  readonly db: Kysely<any>
  readonly table: string
  readonly columns: 'priority'[]
  /** 500 of the worker's running jobs. */
  readonly leases: Lease[]
  /** 500 jobs that failed. */
  readonly failed: string[]
}

const rows = async (table: string, where: string) => {
  const { rows } = await sql<{ id: string }>`
    select id from ${sql.table(table)} where ${sql.raw(where)} order by run_at limit 500`.execute(db)
  return rows.map(({ id }) => id)
}

/**
 * Each verb with the most buffers it may touch, and what it was measured to touch (PG 18.4, least to most of the four
 * cases). A sequential scan of the table touches 2,667; a row that is written touches about ten, most of them in the
 * indexes that it leaves and enters.
 */
const verbs: [verb: string, buffers: number, run: (trial: Trial) => Promise<unknown>][] = [
  // 13 to 25
  ['fetch of 1', 40, ({ db, table, columns }) => fetchNextJobs(db, table, { worker, limit: 1, columns, lease })],
  // 90 to 143; by priority without statistics: see below
  ['fetch of 10', 250, ({ db, table, columns }) => fetchNextJobs(db, table, { worker, limit: 10, columns, lease })],
  // 888 to 1,356
  ['fetch of 100', 1500, ({ db, table, columns }) => fetchNextJobs(db, table, { worker, limit: 100, columns, lease })],
  [
    'fetch of 10 with the backoff of the seed', // 106 to 165
    250,
    ({ db, table, columns }) =>
      fetchNextJobs(db, table, { worker, limit: 10, columns, lease, retryBackoff: linear({ delay: '30s' }) }),
  ],
  [
    'settle of 500 that succeeded', // 5,169 to 7,799
    9000,
    ({ db, table, leases }) =>
      settle(
        db,
        table,
        leases.map((lease) => ({ ...lease, kind: 'succeeded' })),
        { worker },
      ),
  ],
  [
    'settle of 500 that failed, each with its error', // 6,174 to 8,127
    10_000,
    ({ db, table, leases }) =>
      settle(
        db,
        table,
        leases.map((lease, n) => ({ ...lease, kind: 'retry', error: `failure ${n}` })),
        {
          worker,
          columns: ['errors'],
        },
      ),
  ],
  ...(['timed_out', 'snoozed', 'cancelled'] as const).map((kind): (typeof verbs)[number] => [
    `settle of 500 that were ${kind}`, // 5,673 to 8,101
    10_000,
    ({ db, table, leases }) =>
      settle(
        db,
        table,
        leases.map((lease) => ({ ...lease, kind, error: 'Timeout reached', delay: 60_000, reason: 'asked for' })),
        { worker },
      ),
  ]),
  [
    'settle of 500 that succeeded, passing locked rows over', // 8,378 to 9,076
    10_000,
    ({ db, table, leases }) =>
      settle(
        db,
        table,
        leases.map((lease) => ({ ...lease, kind: 'succeeded' })),
        { worker, skipLocked: true },
      ),
  ],
  [
    'settle of 500 that succeeded, deleted, passing locked rows over', // 4,836 to 5,743
    7500,
    ({ db, table, leases }) =>
      settle(
        db,
        table,
        leases.map((lease) => ({ ...lease, kind: 'succeeded' })),
        { worker, skipLocked: true, succeeded: 'delete' },
      ),
  ],
  // 1,709 to 1,725
  ['heartbeat of 100', 2500, ({ db, table, leases }) => heartbeat(db, table, leases.slice(0, 100), { worker })],
  // 1,490 to 1,668
  ['release of 100', 2000, ({ db, table, leases }) => release(db, table, leases.slice(0, 100), { worker })],
  // 1,023 to 1,069: the 1,000 running rows are looked at, whatever else the table holds
  ['rescue that finds none', 1500, ({ db, table }) => rescue(db, table, { lease: '2d', maxAttempts: 5 })],
  // 2,319 to 2,766: the same, and 100 rows are written
  ['rescue of 100', 4000, ({ db, table }) => rescue(db, table, { lease: '1m', maxAttempts: 5, columns: ['errors'] })],
  // 1,017 to 1,062
  ['look for expired leases', 1500, ({ db, table }) => findExpired(db, table, { lease: '1m' })],
  // 4 to 43
  ['next due time', 60, ({ db, table, columns }) => nextDueAt(db, table, { columns, lease })],
  [
    'outlook of an idle worker', // 1,020 to 1,100, of which the running rows are 1,000
    1500,
    ({ db, table, columns }) => pollTables([{ jobs: jobsOf(db, table), lease: '2d', claim: { columns } }]),
  ],
  // 333 to 519
  [
    'outlook of a worker that runs 500 jobs', // 2,664: 3.3 for each of them, by the primary key, beside those of an idle one
    3500,
    ({ db, table, columns, leases }) => {
      const held = { leases, tokens: tokensOf(worker) }
      return pollTables([{ jobs: jobsOf(db, table), lease: '2d', claim: { columns }, held }])
    },
  ],
  [
    'states of 100',
    600,
    ({ db, table, leases }) =>
      jobStates(
        db,
        table,
        leases.slice(0, 100).map(({ id }) => id),
      ),
  ],
  // 3
  ['prune that finds none', 20, ({ db, table }) => pruneJobs(db, table, { olderThan: '30d' })],
  // 2,065 to 2,309; up to 5,055 on Postgres 13 to 17
  ['prune of 1000', version < 180_000 ? 6500 : 3500, ({ db, table }) => pruneJobs(db, table, { olderThan: '1h' })],
  // 4,421 to 6,040
  ['retry of 500 by their ids', 8000, ({ db, table, failed }) => retryJobs(db, table, { ids: failed })],
  [
    'cancel of 500 by their ids', // 5,716 to 6,550
    9000,
    ({ db, table, leases }) => cancelJobs(db, table, { ids: leases.map(({ id }) => id) }),
  ],
]

/**
 * Without statistics the planner takes a level for one row in 200, and sorts what is due at it before it takes the
 * first few (2,128, 2,137 and 2,960): until the first ANALYZE, for which a job table asks after 10,000 rows.
 */
const blind = { 'fetch of 10': 3500, 'fetch of 10 with the backoff of the seed': 3500, 'fetch of 100': 4500 }

describe.each(statistics)('with the statistics %s', (state) => {
  beforeAll(async () => {
    if (state === 'fresh') await sql`analyze plain_jobs, level_jobs`.execute(db)
  })

  describe.each([
    ['plain_jobs', []],
    ['level_jobs', ['priority' as const]],
  ])('%s', (table, columns) => {
    const ids = { leases: [] as Lease[], failed: [] as string[] }
    beforeAll(async () => {
      const leases = await rows(table, `status = 'job_status_running' and locked_by = '${worker}'`)
      ids.leases = leases.map((id) => ({ id, attempt: 1 }))
      ids.failed = await rows(table, `status = 'job_status_failed'`)
    })

    test.each(verbs)('%s goes by indexes and touches at most %i buffers', async (verb, buffers, run) => {
      const plans = await plansOf(pool, (explained) => run({ db: explained, table, columns, ...ids }))
      const ofTable = plans.filter(({ scans }) => scans.some((scan) => scan.endsWith(table)))
      const bound =
        state === 'fresh' || columns.length === 0 ? buffers : Math.max(buffers, Reflect.get(blind, verb) ?? 0)
      expect(ofTable.length).toBeGreaterThan(0)
      for (const plan of ofTable) {
        expect(plan.scans).not.toContain(`Seq Scan: ${table}`)
        expect(plan.buffers).toBeLessThanOrEqual(bound)
        // As a parameter a status would keep a generic plan from the partial indexes.
        expect(plan.parameters.flat().join()).not.toContain('job_status_')
      }
    })
  })
})

test('with CamelCasePlugin the statements are the same, by the same indexes', async () => {
  const verb = (handle: Kysely<any>, table: string) => fetchNextJobs(handle, table, { worker, limit: 1 })
  const [camel] = await plansOf(pool, (handle) => verb(handle, 'plainJobs'), [new CamelCasePlugin()])
  const [plain] = await plansOf(pool, (handle) => verb(handle, 'plain_jobs'))
  expect(camel?.sql).toBe(plain?.sql)
})
