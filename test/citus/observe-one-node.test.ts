import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobPauses, createJobRunners, createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { duplicateJob, editJob } from '../../src/observe/change-job.js'
import { countMatching } from '../../src/observe/count-matching.js'
import { errorGroups } from '../../src/observe/error-groups.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { limitUse } from '../../src/observe/limit-use.js'
import { oneJob } from '../../src/observe/one-job.js'
import { jobView } from '../../src/observe/view.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { run } from '../cli/terminal.js'
import { allPages } from '../observe/reading-all.js'
import { spreadDatabase } from './spread.js'

// What people look at, of a table that is on a node of its own, beside one of the coordinator and one of all nodes.

const { db: handle, plain, refused, away, url } = await spreadDatabase({}, 'one node')
await createJobTable(handle, 'local_jobs')
await createJobTable(handle, 'bucket_jobs', undefined, { distributeBy: 'bucket' })
for (const make of [createJobPauses, createJobRunners]) await make(handle)
const { db } = jobsOf(handle, '')
const view = await jobView(db, 'mail_jobs')

beforeEach(async () => {
  await plain.deleteFrom('mail_jobs').execute()
  await enqueue(
    handle,
    'mail_jobs',
    [1, 2, 3, 4].map((tenant_id) => ({ tenant_id, note: `note ${tenant_id}` })),
  )
  await sql`update node.mail_jobs set status = 'job_status_failed', last_error = 'Error: no ' || tenant_id, attempts_count = 1 where tenant_id > 2`.execute(
    plain,
  )
  refused.splice(0)
})

test('lists, counts and errors are of its jobs', async () => {
  const { forth, back } = await allPages(db, view, { limit: 1 })
  expect([forth.length, back]).toEqual([4, forth])
  expect(await countMatching(db, view, ['failed', 'due'])).toMatchObject({ count: 4 })
  expect((await errorGroups(db, view)).groups).toMatchObject([{ message: 'Error: no <n>', count: 2 }])
  expect(await limitUse(db, view, ['tenant_id'])).toEqual([])
  expect(refused).toEqual([])
})

test('a job of it is shown, edited and enqueued once more', async () => {
  const [job] = (await findJobs(db, view, { states: ['failed'] })).jobs
  const wanted = { id: job?.id ?? '' }
  expect(await editJob(db, view, wanted, { note: 'another', tenant_id: '9' })).toMatchObject({ job: wanted })
  const copy = await duplicateJob(db, view, wanted)
  expect(copy.job && (await oneJob(db, view, copy.job))?.values.get('note')?.text).toBe('another')
  expect(refused).toEqual([])
})

test('a job whose key has more than its id is edited by the whole of it', async () => {
  await createJobTable(handle, 'shard_jobs', (table) => table.addColumn('tenant', 'text', (it) => it.notNull()), {
    notify: 'none',
  })
  await sql`alter table shard_jobs drop constraint shard_jobs_pkey, add primary key (tenant, id)`.execute(handle)
  await sql`select create_distributed_table('shard_jobs', 'tenant', shard_count := 1)`.execute(handle)
  await sql`insert into shard_jobs (tenant) values ('a')`.execute(handle)
  const whole = await jobView(db, 'shard_jobs')
  const [job] = (await findJobs(db, whole)).jobs
  const wanted = { id: job?.id ?? '', key: job?.key }
  refused.splice(0)
  expect(await editJob(db, whole, wanted, { tenant: 'b' })).toMatchObject({ refused: 'values' })
  expect(refused.map(({ message }) => message)).toEqual(['modifying the partition value of rows is not allowed'])
  expect((await oneJob(db, whole, wanted))?.id).toBe(wanted.id)
})

test.each(['/', '/tables/mail_jobs', '/tables/mail_jobs/errors', '/tables/mail_jobs/steering', '/tables/bucket_jobs'])(
  'the dashboard shows %s, beside tables of the coordinator and of all nodes',
  async (path) => {
    const app = dashboard(handle as Kysely<any>, {
      tables: ['mail_jobs', 'local_jobs', 'bucket_jobs'],
      authorize: () => 'all',
    })
    const response = await app(new Request(`http://localhost${path}`))
    expect([response.status, refused]).toEqual([200, []])
  },
)

test.each([
  [['status'], /bucket_jobs +0 [\s\S]*mail_jobs +2 |mail_jobs +2 [\s\S]*bucket_jobs +0 /],
  [['list', 'mail_jobs', '--where', 'note~3'], /failed .* note 3/],
  [['errors'], / 2 +2 +0 .*Error: no <n>/],
  [['pauses'], /Nothing is paused/],
])('the command line: %j', async (argv, said) => {
  const through = `${url}?options=-c%20search_path%3Dpublic,node`
  const { code, stdout, stderr } = await run(argv, { DATABASE_URL: through })
  expect([code, stderr, refused]).toEqual([0, '', []])
  expect(stdout).toMatch(said)
})

test('where a node is away the other tables are looked at, and it is said which one is not', async () => {
  away.add('mail_jobs')
  onTestFinished(() => away.clear())
  const through = { DATABASE_URL: `${url}?options=-c%20search_path%3Dpublic,node` }
  const { code, stdout } = await run(['status'], through)
  expect(code).toBe(0)
  expect(stdout).toMatch(/local_jobs +0 /)
  expect(stdout).toMatch(/mail_jobs +- /)
  const said = 'connection to the remote node postgres@10.0.0.2:5432 failed'
  expect(stdout).toContain(`mail_jobs: its jobs can't be looked at: ${said}\n`)
  expect(stdout).not.toContain('index')
  const app = dashboard(handle as Kysely<any>, { tables: ['mail_jobs', 'local_jobs'], authorize: () => 'all' })
  const page = await app(new Request('http://localhost/'))
  expect(page.status).toBe(200)
  expect(await page.text()).toContain(said)
  const found = await run(['doctor', 'mail_jobs', '--json'], through)
  expect(JSON.parse(found.stdout)).toContainEqual(
    expect.objectContaining({ code: 'not-examined', what: expect.stringContaining(said) }),
  )
})
