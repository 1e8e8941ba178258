import { sql } from 'kysely'
import { createRunner, createWorker, pauseJobs } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobHistory, createJobPauses, createJobRunners, createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { test as browserTest, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { quiet } from './mail-table.js'

const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs')
  await createJobRunners(handle)
  await createJobPauses(handle)
})
beforeEach(async () => {
  await sql`truncate mail_jobs, job_pauses; drop table if exists job_history`.execute(db)
})

const open = testBrowser()

const handlerOf = (options: object = {}) =>
  dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all', ...options } as never)

/** Asks for the overview of one dashboard, again and again. */
function overviewOf(options: object = {}) {
  const handler = handlerOf(options)
  return async () => (await handler(new Request('http://jobs.example/'))).text()
}

/** A worker that is there, and takes none of the jobs. */
async function idleRunner(lease = '60s') {
  const worker = createWorker(db, 'mail_jobs', () => {}, {
    where: () => sql<boolean>`false`,
    lease,
    logger: quiet,
  } as never)
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  await runner.start()
  onTestFinished(async () => {
    await runner.stop()
  })
}

const put = (count: number, values: string) =>
  sql`insert into mail_jobs (status, attempts_count, last_error, run_at)
    select ${sql.raw(values)} from generate_series(1, ${sql.lit(count)}) as n`.execute(db)
const due = `'job_status_not_started', 0, null, now() - interval '1 minute'`
const failing = `'job_status_retry', 1, 'Error: no answer from host-' || n || ' of the shop', now() + interval '1 hour'`

/** A minute of history for each value, the last of them now: how many were due, and how many jobs succeeded. */
async function record(...minutes: [due: number, succeeded: number][]) {
  await createJobHistory(db)
  for (const [n, [due, succeeded]] of minutes.toReversed().entries())
    await sql`insert into job_history (job_schema, job_table, step, began_at, succeeded, due)
      values ('public', 'mail_jobs', 'minute', date_trunc('minute', now()) - ${sql.lit(n)} * interval '1 minute', ${succeeded}, ${due})`.execute(
      db,
    )
}

test('due jobs of a table that no runner works, until one does', async () => {
  await put(1, due)
  const overview = overviewOf()
  expect(await overview()).toContain('jobs are due and no runner works this table')
  await idleRunner()
  await expect.poll(overview).not.toContain('no runner works')
})

test('what the doctor finds too is told once', async () => {
  await put(1, `'job_status_not_started', 0, null, now() - interval '2 hours'`)
  const overview = overviewOf()
  await expect.poll(async () => (await overview()).includes('http-equiv')).toBe(false) // the doctor has looked
  const text = await overview()
  expect(text.match(/unserved-jobs in the docs/g)).toHaveLength(1)
  expect(text).not.toContain('waited to begin')
})

test('a paused table, with the reason', async () => {
  await pauseJobs(db, 'mail_jobs', { reason: 'the bank is away' })
  expect(await overviewOf()()).toContain('mail_jobs: paused (the bank is away)')
})

test('a key that is paused, which is marked in the list and on its jobs too', async () => {
  await sql`alter table mail_jobs add column if not exists tenant_id integer`.execute(db)
  await sql`insert into mail_jobs (tenant_id) values (7), (8)`.execute(db)
  await pauseJobs(db as never, 'mail_jobs' as never, { where: { tenant_id: 7 }, reason: 'unpaid' } as never)
  const visit = async (path: string) => (await handlerOf()(new Request(`http://jobs.example${path}`))).text()
  expect(await visit('/')).toContain('mail_jobs: 1 key is paused')
  const list = await visit('/tables/mail_jobs')
  expect(list).toContain('<code>tenant_id = 7</code> (unpaid)')
  expect(list).toContain('href="/tables/mail_jobs/steering"')
  const jobs = await db.selectFrom('mail_jobs').select('id').orderBy('tenant_id').execute()
  const pages = await Promise.all(jobs.map(({ id }) => visit(`/tables/mail_jobs/jobs/${id}`)))
  expect(pages.map((text) => text.includes('paused: unpaid'))).toEqual([true, false])
})

test('a backlog that has doubled within half an hour, and not one that stays', async () => {
  const grown = Array.from({ length: 40 }, (_, n): [number, number] => [n < 12 ? 100 : 100 + n * 10, 5])
  await record(...grown)
  expect(await overviewOf()()).toContain('the backlog grows: 490 jobs are due, 100 were half an hour ago')
  await sql`update job_history set due = 490`.execute(db)
  expect(await overviewOf()()).not.toContain('the backlog grows')
})

test('a tenth of what ended failed for good', async () => {
  await record([0, 90])
  await put(10, `'job_status_failed', 3, 'Error: ' || n || repeat('x', n), now()`)
  expect(await overviewOf()()).toContain('10 % of the jobs that ended in the last hour failed for good')
  await sql`update job_history set succeeded = 100`.execute(db)
  expect(await overviewOf()()).not.toContain('failed for good</strong>')
})

test('one kind of error by which many jobs fail now, also where they are to be retried, with the way to them', async () => {
  await record([0, 90])
  await put(10, failing)
  const overview = overviewOf()
  const told = '10 jobs failed in the last hour by one kind of error: Error: no answer from host-'
  await expect.poll(overview).toContain(told)
  const [, link = ''] = (await overview()).match(/href="(\/tables\/mail_jobs\?error=[0-9a-f]+)"/) ?? []
  const list = await (await handlerOf()(new Request(`http://jobs.example${link}`))).text()
  expect(list.match(/name="id"/g)).toHaveLength(10)
})

test.each([
  ['that is rare beside what succeeds', async () => record([0, 1000])],
  ['of hours ago', async () => sql`update mail_jobs set updated_at = now() - interval '2 hours'`.execute(db)],
  [
    'of fewer than ten jobs',
    async () => sql`delete from mail_jobs where ctid = (select min(ctid) from mail_jobs)`.execute(db),
  ],
])('an error %s is none to warn of', async (_, but) => {
  await put(10, failing)
  await but()
  const overview = overviewOf()
  await expect.poll(async () => (await overview()).includes('http-equiv')).toBe(false)
  expect(await overview()).not.toContain('one kind of error')
})

test('errors that are hidden are not told of', async () => {
  await put(10, failing)
  const overview = overviewOf({ tables: { mail_jobs: { hide: ['last_error'] } } })
  await expect.poll(async () => (await overview()).includes('http-equiv')).toBe(false)
  expect(await overview()).not.toContain('no answer')
})

test('workers whose leases differ', async () => {
  await idleRunner()
  await idleRunner('5m')
  await expect.poll(overviewOf()).toContain('workers have different leases: 1 min, 5 min')
})

test('workers that do not hear of new jobs', async () => {
  await idleRunner()
  const overview = overviewOf()
  const afterwards = async () => {
    await sql`update job_runners set workers = jsonb_set(workers, '{0,listener}', '"connecting"')`.execute(db)
    return overview()
  }
  await expect.poll(afterwards).toContain('1 of 1 workers don&#39;t hear of new jobs and poll for them') // the runner writes, too
})

browserTest('the page shows what the doctor finds as soon as it has looked, and its SQL can be copied', async () => {
  await sql`alter table mail_jobs disable trigger did_insert_job_mail_jobs`.execute(db)
  const { url } = await serve(handlerOf())
  const page = await open(url, { permissions: ['clipboard-read', 'clipboard-write'] })
  const notice = page.locator('.notice', { hasText: 'did_insert_job_mail_jobs' })
  await notice.getByRole('button', { name: 'Copy' }).click()
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  const copied = await page.evaluate<string>('navigator.clipboard.readText()')
  expect(copied).toBe(await notice.locator('pre').textContent())
  await sql.raw(copied).execute(db)
})

browserTest('without a script it is shown too, and there is no button that does nothing', async () => {
  await sql`alter table mail_jobs disable trigger did_insert_job_mail_jobs`.execute(db)
  const { url } = await serve(handlerOf())
  const page = await open(url, { javaScriptEnabled: false })
  await page.locator('pre', { hasText: 'enable trigger "did_insert_job_mail_jobs"' }).waitFor()
  expect(await page.getByRole('button', { name: 'Copy' }).count()).toBe(0)
  await sql`alter table mail_jobs enable trigger did_insert_job_mail_jobs`.execute(db)
})
