import { Kysely, PostgresDialect, sql } from 'kysely'
import { type Authorize, dashboard } from 'kysely-jobs/dashboard'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createRole, handleAs } from '../security/roles.js'
import { quietPool, type TestDatabase, testDatabase } from '../support/database.js'

// What the doctor finds, on the overview.

const database: TestDatabase = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('token', 'text'))
  await createJobTable(db, 'secret_jobs')
  await sql`drop index job_running_mail_jobs, job_ready_secret_jobs`.execute(db)
  await sql`create index by_token on mail_jobs (token, locked_at)`.execute(db)
})
const { db, url } = database

/** The overview, as a text without its head. */
function overviewOf(handle: Kysely<any>, options: object = {}) {
  const handler = dashboard(handle, { tables: ['mail_jobs'], authorize: () => 'all', ...options } as never)
  return async () => {
    const response = await handler(new Request('http://jobs.example/'))
    return `${response.status} ${(await response.text()).replace(/<head>[\s\S]*<main[^>]*>/, '')}`
  }
}

const index = 'create index concurrently &quot;job_running_mail_jobs&quot; on &quot;public&quot;.&quot;mail_jobs&quot;'

test('it tells what the doctor finds: what, why, and the SQL or the migration that mends it', async () => {
  const overview = overviewOf(db)
  expect(await overview()).toMatch(/^200 [\s\S]*Checking the tables/) // which does not wait for the doctor
  await expect.poll(overview).toContain('mail_jobs: The index job_running_mail_jobs is missing')
  const text = await overview()
  expect(text).toContain('Claims, heartbeats or rescues read the table')
  expect(text).toContain(`<pre>${index} (locked_by) where status in (&#39;job_status_running&#39;);</pre>`)
  expect(text).toContain('<code>await createJobIndexes(db, &#39;mail_jobs&#39;, { concurrently: true })</code>')
  expect(text).toContain('docs/doctor.md#what-it-finds')
  expect(text).not.toContain('secret_jobs')
  expect(text).not.toContain('Checking the tables')
})

test('it looks once a minute for all who look, and not while nobody does', async () => {
  let examinations = 0
  const pool = quietPool({ connectionString: url })
  const log = ({ query }: { query: { sql: string } }) => {
    examinations += query.sql.includes('pg_stat_activity') ? 1 : 0
  }
  const handle = new Kysely<any>({ dialect: new PostgresDialect({ pool }), log })
  onTestFinished(() => handle.destroy())
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const overview = overviewOf(handle)
  await Promise.all(Array.from({ length: 5 }, overview))
  await expect.poll(overview).toContain('job_running_mail_jobs')
  expect(examinations).toBe(1)
  vi.advanceTimersByTime(59_000)
  await overview()
  vi.advanceTimersByTime(100_000)
  expect(examinations).toBe(1)
  await overview()
  await expect.poll(() => examinations).toBe(2)
})

test('what was mended is told no more a minute later', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const overview = overviewOf(db, { tables: ['secret_jobs'] })
  await expect.poll(overview).toContain('The index job_ready_secret_jobs is missing')
  await sql`create index job_ready_secret_jobs on secret_jobs (run_at) where status in ('job_status_not_started', 'job_status_retry')`.execute(
    db,
  )
  vi.advanceTimersByTime(60_000)
  await expect.poll(overview).not.toContain('lacks')
  await sql`drop index job_ready_secret_jobs`.execute(db)
})

test('a pool of one connection serves the pages and the doctor, one after the other', async () => {
  const handle = new Kysely<any>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url, max: 1 }) }),
  })
  onTestFinished(() => handle.destroy())
  const overview = overviewOf(handle)
  await expect.poll(overview).toContain('job_running_mail_jobs')
  expect(await overview()).not.toContain('not-examined')
})

test.each<[string, Authorize, object]>([
  ['may only read', () => 'read', {}],
  ['looks at a dashboard that is read-only', () => 'all', { readOnly: true }],
])('who %s is told as well', async (_, authorize, options) => {
  await expect.poll(overviewOf(db, { authorize, ...options })).toContain('job_running_mail_jobs')
})

test('of a table that a viewer does not see, nothing that was found is told', async () => {
  const viewer = { may: (_: string, table: string) => table === 'mail_jobs' }
  const overview = overviewOf(db, { tables: ['secret_jobs', 'mail_jobs'], authorize: () => viewer })
  await expect.poll(overview).toContain('job_running_mail_jobs')
  expect(await overview()).not.toContain('secret_jobs')
})

test('a column that is hidden does not come up in what was found', async () => {
  await expect.poll(overviewOf(db)).toContain('by_token')
  const overview = overviewOf(db, { tables: { mail_jobs: { hide: ['token'] } } })
  await expect.poll(overview).toContain('costly-index: of a column that is hidden here')
  expect(await overview()).not.toContain('token')
})

test('a role without rights gets what may be found by it, and its page', async () => {
  const role = await createRole(database)
  await sql.raw(`grant select on mail_jobs to ${role}`).execute(db)
  const overview = overviewOf(handleAs(database, role))
  await expect.poll(overview).toContain(`The role ${role} may not, in mail_jobs`)
  expect(await overview()).toMatch(/^200 /)
})

test('where the doctor may not look at all, the page stands, and says that it did not', async () => {
  const role = await createRole(database)
  await sql.raw(`grant select on mail_jobs to ${role}`).execute(db)
  await sql`revoke select on pg_catalog.pg_prepared_xacts from public`.execute(db)
  onTestFinished(async () => {
    await sql`grant select on pg_catalog.pg_prepared_xacts to public`.execute(db)
  })
  const overview = overviewOf(handleAs(database, role))
  await expect.poll(overview).toContain('Server: The tables and their server could not be examined')
  expect(await overview()).toMatch(/^200 [\s\S]*permission denied for view pg_prepared_xacts/)
})
