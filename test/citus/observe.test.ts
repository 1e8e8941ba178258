import { Kysely, PostgresDialect, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobIndexes, createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { duplicateJob, editJob } from '../../src/observe/change-job.js'
import { countMatching } from '../../src/observe/count-matching.js'
import { errorGroups } from '../../src/observe/error-groups.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { limitUse } from '../../src/observe/limit-use.js'
import { observedTables } from '../../src/observe/observed-table.js'
import { oneJob } from '../../src/observe/one-job.js'
import { overviewOf } from '../../src/observe/overview.js'
import { jobView } from '../../src/observe/view.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { run } from '../cli/terminal.js'
import { allPages } from '../observe/reading-all.js'
import { quietPool } from '../support/database.js'
import { spreadDatabase } from './spread.js'

// What people look at, of a table that is distributed by a column, where the server refuses what Citus refuses.

const spread = await spreadDatabase({ columns: ['priority', 'result', 'started_at', 'finished_at', 'errors'] })
const { plain, refused, url } = spread
await createJobTable(spread.db, 'local_jobs') // one that is not distributed, beside it
const { db } = jobsOf(spread.db, '')
const view = await jobView(db, 'mail_jobs')

/** Of three tenants: what runs, waits, will be tried again and has ended, in two ways, so many of each. */
const each = 4
const states = ['running', 'due', 'scheduled', 'retrying', 'failed', 'succeeded'] as const

beforeEach(async () => {
  await plain.deleteFrom('mail_jobs').execute()
  await sql`
    insert into mail_jobs (id, tenant_id, note, status, run_at, locked_at, locked_by, attempts_count, last_error, updated_at)
    select ('00000000-0000-4000-8000-' || lpad((100 * k + i)::text, 12, '0'))::uuid, i % 3, 'note ' || k || i, (array['job_status_running', 'job_status_not_started',
      'job_status_not_started', 'job_status_retry', 'job_status_failed', 'job_status_succeeded']::job_status[])[k],
      now() + case when k in (3, 4) then interval '1 hour' else interval '-1 hour' end, case when k = 1 then now() end,
      case when k = 1 then gen_random_uuid() end, 1, case when k in (4, 5) then 'Error: no ' || i end, now() - i * interval '1 second'
    from generate_series(1, 6) k, generate_series(1, ${each}) i`.execute(plain)
  refused.splice(0)
})

const idOf = (kind: (typeof states)[number], i: number) =>
  `00000000-0000-4000-8000-${String(100 * (states.indexOf(kind) + 1) + i).padStart(12, '0')}`
const keyOf = (kind: (typeof states)[number], i: number) =>
  JSON.stringify([String(i % 3), idOf(kind, i)]).replace(',', ', ')

describe('lists', () => {
  test('have each job of all nodes once, page by page, forth and back', async () => {
    const { forth, back } = await allPages(db, view, { limit: 5 })
    expect(forth).toHaveLength(states.length * each)
    expect(new Set(forth).size).toBe(forth.length)
    expect(back).toEqual(forth)
    expect(refused).toEqual([])
  })

  test.each(states)('have those that are %s', async (state) => {
    const { jobs } = await findJobs(db, view, { states: [state] })
    expect(jobs.map(({ id }) => id).toSorted()).toEqual([1, 2, 3, 4].map((i) => idOf(state, i)))
    expect(jobs.every((job) => job.state === state)).toBe(true)
    expect(refused).toEqual([])
  })

  test('are in any order, of what filters leave, with all that is shown of a job', async () => {
    const filters = [
      { column: 'note', operator: 'contains', values: ['note'] },
      { column: 'tenant_id', operator: '!=', values: ['0'] },
    ] as const
    const { jobs, next } = await findJobs(db, view, { filters, sort: { column: 'note', descending: true }, limit: 2 })
    expect(jobs.map(({ values }) => values.get('note')?.text)).toEqual(['note 64', 'note 62'])
    const { jobs: more } = await findJobs(db, view, {
      filters,
      sort: { column: 'note', descending: true },
      limit: 2,
      after: next,
    })
    expect(more.map(({ values }) => values.get('note')?.text)).toEqual(['note 61', 'note 54'])
    expect(more[1]).toMatchObject({ id: idOf('failed', 4), error: { text: 'Error: no 4' }, key: keyOf('failed', 4) })
    expect(refused).toEqual([])
  })

  test('of one tenant are looked for among its jobs', async () => {
    const filters = [{ column: 'tenant_id', operator: '=', values: ['1'] }] as const
    expect((await allPages(db, view, { filters, limit: 5 })).forth).toHaveLength(12)
    expect(refused).toEqual([])
  })

  test('are read along indexes by the nodes too, which are told so, and send what tells jobs apart', async () => {
    const told: string[] = []
    const pool = quietPool({ connectionString: url, max: 1 })
    const logged = new Kysely<any>({
      dialect: new PostgresDialect({ pool }),
      log: ({ query }) => {
        told.push(query.sql)
      },
    })
    onTestFinished(() => logged.destroy())
    expect((await findJobs(logged, view, { limit: 5 })).jobs[0]?.values.get('note')?.text).toMatch(/^note 1/)
    expect(
      told.filter((each) => /^set local citus.propagate_set_commands = 'local';.* enable_sort = 'off'/.test(each)),
    ).toHaveLength(1)
    const looking = told.filter((each) => each.includes('limit 10000'))
    expect(looking).not.toEqual([])
    expect(looking.filter((each) => each.includes('"note"'))).toEqual([])
  })

  test('say how many match, and which errors there are', async () => {
    expect(await countMatching(db, view, ['failed', 'retrying'])).toMatchObject({ count: 8, isAll: true })
    const { groups } = await errorGroups(db, view)
    expect(groups).toMatchObject([{ message: 'Error: no <n>', count: 8, failed: 4, retrying: 4 }])
    const [{ fingerprint } = { fingerprint: '' }] = groups
    const { jobs } = await findJobs(db, view, { fingerprint })
    expect(jobs).toHaveLength(8)
    expect(refused).toEqual([])
  })
})

test('the overview counts the jobs of all nodes, beside those of a table of the coordinator', async () => {
  const tables = await observedTables(db, ['mail_jobs', 'local_jobs'])
  const [mail, local] = await overviewOf(db, tables)
  expect(mail).toMatchObject({ due: { count: 4 }, running: { count: 4 }, failedLastHour: { count: 4 } })
  expect(local).toMatchObject({ due: { count: 0 } })
  expect(await limitUse(db, view, ['tenant_id'])).toContainEqual({ key: { tenant_id: '1' }, running: 2 })
  expect(refused).toEqual([])
})

test('what no index leads to is not counted, as it is not known how much there is', async () => {
  await sql`drop index job_running_mail_jobs`.execute(plain)
  const tables = await observedTables(db, ['mail_jobs'])
  await createJobIndexes(spread.db, 'mail_jobs')
  expect(await overviewOf(db, tables)).toMatchObject([{ due: { count: 4 }, running: undefined }])
})

test('a job is found by its id, and by its key as well, among all that have its id', async () => {
  const id = idOf('failed', 1)
  await enqueue(spread.db, 'mail_jobs', { id, tenant_id: 2, note: 'its twin' })
  const one = await oneJob(db, view, { id, key: keyOf('failed', 1) })
  expect([one?.state, one?.values.get('tenant_id')?.text]).toEqual(['failed', '1'])
  const twin = await oneJob(db, view, { id, key: JSON.stringify(['2', id]) })
  expect(twin?.values.get('note')?.text).toBe('its twin')
  expect(await oneJob(db, view, { id })).toBeDefined()
  for (const key of ['', 'x', '[]', '["3"]', '["x"]']) expect(await oneJob(db, view, { id, key })).toBeUndefined()
  expect(refused).toEqual([])
})

describe('a job', () => {
  const wanted = { id: idOf('failed', 1), key: keyOf('failed', 1) }

  test('is given other values, and no other that has its id', async () => {
    await enqueue(spread.db, 'mail_jobs', { id: wanted.id, tenant_id: 2, note: 'its twin' })
    expect(await editJob(db, view, wanted, { note: 'another' })).toEqual({ job: { ...wanted, isArchived: false } })
    const rows = await plain.selectFrom('mail_jobs').select(['tenant_id', 'note']).where('id', '=', wanted.id).execute()
    expect(rows).toEqual(
      expect.arrayContaining([
        { tenant_id: 1, note: 'another' },
        { tenant_id: 2, note: 'its twin' },
      ]),
    )
    expect(refused).toEqual([])
  })

  test('stays on its node: the column that says which one is refused, with the reason', async () => {
    expect(await editJob(db, view, wanted, { tenant_id: '2' })).toMatchObject({
      refused: 'values',
      message:
        'tenant_id says on which node the job is, and stays as it is: enqueue another with the new value, and cancel this one',
    })
    expect(refused).toEqual([])
  })

  test('is not written while it runs', async () => {
    const running = { id: idOf('running', 1), key: keyOf('running', 1) }
    expect(await editJob(db, view, running, { note: 'another' })).toMatchObject({ refused: 'running' })
    expect(refused).toEqual([])
  })

  test('is enqueued once more', async () => {
    await plain.deleteFrom('mail_jobs').where('id', '!=', wanted.id).execute()
    const { job } = await duplicateJob(db, view, wanted)
    expect(job && (await oneJob(db, view, job))).toMatchObject({ state: 'due', attempts: 0 })
    expect(refused).toEqual([])
  })
})

describe('the dashboard', () => {
  const app = dashboard(spread.db, { tables: ['mail_jobs'], authorize: () => ({ user: 'ada', may: 'all' }) })
  const ask = async (path: string, form?: Record<string, string>) => {
    const headers = { 'sec-fetch-site': 'same-origin' }
    const init = form === undefined ? { headers } : { method: 'POST', headers, body: new URLSearchParams(form) }
    const response = await app(new Request(`http://localhost${path}`, init))
    return { status: response.status, text: await response.text(), to: response.headers.get('location') ?? '' }
  }
  const job = `/tables/mail_jobs/jobs/${idOf('failed', 1)}?key=${encodeURIComponent(keyOf('failed', 1))}`

  test.each([
    ['/', 'mail_jobs'],
    ['/tables/mail_jobs', 'note 11'],
    ['/tables/mail_jobs?state=failed', 'note 51'],
    ['/tables/mail_jobs/errors', 'Error: no &lt;n&gt;'],
    ['/tables/mail_jobs/steering', 'mail_jobs'],
    [job, 'Error: no 1'],
    [job.replace('?', '/edit?'), 'note 51'],
  ])('shows %s', async (path, text) => {
    const page = await ask(path)
    expect([page.status, refused]).toEqual([200, []])
    expect(page.text).toContain(text)
  })

  test('tells of jobs whose tenant is hidden by their ids, and nothing of the tenant', async () => {
    const hiding = dashboard(spread.db, { tables: { mail_jobs: { hide: ['tenant_id'] } }, authorize: () => 'all' })
    const one = job.slice(0, job.indexOf('?'))
    for (const path of ['/tables/mail_jobs', '/tables/mail_jobs?state=failed', one, `${one}/edit`]) {
      const response = await hiding(new Request(`http://localhost${path}`))
      expect([path, response.status, refused]).toEqual([path, 200, []])
      expect(await response.text()).not.toContain('key=')
    }
    const page = await hiding(new Request('http://localhost/tables/mail_jobs?state=failed'))
    expect(await page.text()).toContain('note 51')
  })

  test('asks for no other value of the column that says on which node a job is', async () => {
    const { text } = await ask(job.replace('?', '/edit?'))
    expect(text).toContain('value:note')
    expect(text).not.toContain('value:tenant_id')
  })

  test('writes what was changed of a job, and has it run again', async () => {
    const form = { 'was:note': 'note 51', 'value:note': 'another', retry: 'yes' }
    expect(await ask(job.replace('?', '/edit?'), form)).toMatchObject({ status: 303 })
    const rows = plain.selectFrom('mail_jobs').select(['note', 'status']).where('id', '=', idOf('failed', 1))
    expect(await rows.execute()).toEqual([{ note: 'another', status: 'job_status_not_started' }])
    expect(refused).toEqual([])
  })

  test('says what a bulk action would do', async () => {
    const { status, text } = await ask('/tables/mail_jobs/bulk?state=failed', { verb: 'retry', of: 'all' })
    expect([status, refused]).toEqual([200, []])
    expect(text).toContain('4 jobs')
  })
})

describe('the command line', () => {
  test.each([
    [['status'], /mail_jobs +4 +1 h +4 +4 +4 +4 +4 /],
    [['list', 'mail_jobs'], /running .* note 11/],
    [['list', 'mail_jobs', '--where', 'note~51'], /failed .* note 51/],
    [['errors', '--table', 'mail_jobs'], / 8 +4 +4 .*Error: no <n>/],
    [['show', idOf('failed', 1)], /Error: no 1/],
    [['limits', 'mail_jobs'], /No limit is known/],
    [['pauses'], /Nothing is paused/],
    [['cancel', 'mail_jobs', '--where', 'tenant_id=1', '--dry-run'], /8 jobs of mail_jobs would be cancelled/],
  ])('%j', async (argv, said) => {
    const { code, stdout, stderr } = await run(argv, { DATABASE_URL: url })
    expect([code, refused]).toEqual([0, []])
    expect(stdout + stderr).toMatch(said)
  })
})
