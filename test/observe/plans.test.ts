import { sql } from 'kysely'
import { beforeAll, describe, expect, test } from 'vitest'
import { countMatching, type Matching } from '../../src/observe/count-matching.js'
import { parseFilter } from '../../src/observe/filter-text.js'
import { findJobs, type JobPage, type JobQuery } from '../../src/observe/find-jobs.js'
import { type ShownState, shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { fillLargeTable, statistics } from '../queue/large-table.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'
import { fillLargeArchive } from './large-archive.js'

const { db, pool } = await testDatabase()
beforeAll(async () => {
  await fillLargeTable(db, 'plain_jobs', false)
  await fillLargeTable(db, 'level_jobs', true)
  await fillLargeTable(db, 'bare_jobs', false)
  await sql`drop index job_ready_bare_jobs, job_running_bare_jobs, job_finished_bare_jobs, job_failed_bare_jobs`.execute(
    db,
  )
  await fillLargeArchive(db, 'kept_jobs')
})

interface List {
  readonly states?: ShownState[]
  readonly filters?: string[]
  readonly sort?: JobQuery['sort']
}

async function queryOf(table: string, { filters = [], ...query }: List) {
  const view = await jobView(db, table)
  return { view, query: { ...query, filters: filters.map((text) => parseFilter(view, text)) } }
}

/** What a list touches in all its statements. */
async function cost(table: string, list: List) {
  const { view, query } = await queryOf(table, list)
  let page: JobPage | undefined
  const plans = await plansOf(pool, async (handle) => {
    page = await findJobs(handle, view, query)
  })
  return { page, plans: plans.filter(({ sql }) => sql.includes(`"${table}`)) }
}

async function costOfCount(table: string, list: List) {
  const { view, query } = await queryOf(table, list)
  let matching: Matching | undefined
  const plans = await plansOf(pool, async (handle) => {
    matching = await countMatching(handle, view, query.states ?? shownStates, query.filters)
  })
  return { matching, plans: plans.filter(({ sql }) => sql.includes(`"${table}`)) }
}

const sum = (plans: readonly { buffers: number }[]) => plans.reduce((all, { buffers }) => all + buffers, 0)

/** With the most buffers that all statements of a first page may touch together, and what it says. Measured on PG 18.4. */
const lists: [name: string, list: List, buffers: number, found: number, isAll: boolean][] = [
  ['all jobs', {}, 3000, 50, true], // 2,002: all that run, as these are few, and none else
  ['running jobs', { states: ['running'] }, 3000, 50, true], // 2,002
  ['due jobs', { states: ['due'] }, 50, 50, true], // 14 to 20
  ['scheduled jobs', { states: ['scheduled'] }, 50, 50, true], // 5
  ['retrying jobs', { states: ['retrying'] }, 600, 50, true], // behind what is scheduled before them
  ['failed jobs', { states: ['failed'] }, 50, 50, true], // 11
  ['succeeded jobs', { states: ['succeeded'] }, 50, 50, true], // 8
  ['cancelled jobs, of which there are none', { states: ['cancelled'] }, 5000, 0, false],
  ['pending jobs of nobody', { states: ['due', 'scheduled'], filters: ['user_id=999'] }, 12_000, 0, false],
  ['failed jobs of nobody', { states: ['failed'], filters: ['user_id=999'] }, 15_000, 0, false],
  ['all jobs of a user', { filters: ['user_id=3'] }, 25_000, 50, false],
  ['all jobs by user', { sort: { column: 'user_id' } }, 15_000, 50, false],
  ['failed jobs by user', { states: ['failed'], sort: { column: 'user_id' } }, 12_000, 50, false],
  ['all jobs by id', { sort: { column: 'id', descending: true } }, 150, 50, true], // 5; on PG 14, whose ids are at random, a page for each
]

describe.each(statistics)('with the statistics %s', (state) => {
  beforeAll(async () => {
    if (state === 'fresh')
      await sql`analyze plain_jobs, level_jobs, bare_jobs, kept_jobs, kept_jobs_archive`.execute(db)
  })

  describe.each(['plain_jobs', 'level_jobs'])('of %s', (table) => {
    test.each(lists)('a page of %s reads a bounded part of 200,000', async (_, list, buffers, found, isAll) => {
      const { page, plans } = await cost(table, list)
      expect(page?.jobs).toHaveLength(found)
      expect(page?.looked).toEqual({ at: 10_000, isAll })
      expect(plans.flatMap(({ scans }) => scans)).not.toContain(`Seq Scan: ${table}`)
      expect(sum(plans)).toBeLessThanOrEqual(buffers)
    })

    test.each(lists)('a count of %s reads a bounded part of 200,000', async (_, list) => {
      const { matching, plans } = await costOfCount(table, list)
      expect(matching?.count).toBeLessThanOrEqual(60_000)
      expect(plans).toHaveLength(1)
      expect(sum(plans)).toBeLessThanOrEqual(6000) // 820 to 4,043
    })
  })

  test('a table without any index of the queue is looked at by its key', async () => {
    for (const list of [{}, { states: ['failed' as const] }, { filters: ['user_id=999'] }]) {
      const { page, plans } = await cost('bare_jobs', list)
      expect(page?.looked.isAll).toBe(false)
      expect(plans.flatMap(({ scans }) => scans)).not.toContain('Seq Scan: bare_jobs')
      for (const { buffers } of plans) expect(buffers).toBeLessThanOrEqual(65_000) // a page of the table for each of 10,000 rows, and each kind
    }
  })

  test.each<[name: string, list: List, buffers: number, isAll: boolean]>([
    ['failed jobs', { states: ['failed'] }, 600, true],
    ['failed and cancelled jobs', { states: ['failed', 'cancelled', 'timedOut'] }, 10_000, true],
    ['succeeded jobs', { states: ['succeeded'] }, 65_000, false], // by their ids, as nothing else orders them: a buffer for each
  ])('%s of a table and its archive', async (_, list, buffers, isAll) => {
    const { page, plans } = await cost('kept_jobs', list)
    expect(page?.jobs).toHaveLength(50)
    expect(page?.looked.isAll).toBe(isAll)
    expect(plans.flatMap(({ scans }) => scans).filter((scan) => scan.startsWith('Seq'))).toEqual([])
    expect(sum(plans)).toBeLessThanOrEqual(buffers)
  })
})

test('of a user of whom an index knows, all jobs are found, whatever else there is', async () => {
  await sql`create index by_user on plain_jobs (user_id, created_at); update plain_jobs set user_id = 777 where id in (select id from plain_jobs limit 40)`.execute(
    db,
  )
  const { page, plans } = await cost('plain_jobs', { filters: ['user_id=777'] })
  expect(page?.jobs).toHaveLength(40)
  expect(page?.looked.isAll).toBe(true)
  expect(sum(plans)).toBeLessThanOrEqual(500)
  expect(
    (await costOfCount('plain_jobs', { filters: ['user_id=777', 'status=job_status_failed'] })).matching?.isAll,
  ).toBe(true)
  // Of too many it is of no use: the latest are looked at.
  await sql`update plain_jobs set user_id = 888 where user_id < 10`.execute(db)
  const { page: many } = await cost('plain_jobs', { filters: ['user_id=888'], states: ['failed'] })
  expect(many?.jobs).toHaveLength(50)
  await sql`drop index by_user`.execute(db)
})
