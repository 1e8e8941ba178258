import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { inspectJobTable, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, mailWorker, next, quiet } from '../worker/mail-jobs.js'
import { createTenantTables, type TenantDatabase } from '../worker/tenant-jobs.js'
import { calling, posing } from './posing.js'

type Tables = MailDatabase & TenantDatabase

const { db, url } = await testDatabase<Tables>(async (handle) => {
  await createMailTables(handle)
  await createTenantTables(handle)
})

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const roundAbout = { name: 'OurFork' }

test('a server that is none that we know is refused at start, with what to say of it', async () => {
  const worker = mailWorker(posing(url, calling('CrateDB 5.10.1')), async () => {})
  await expect(worker.start()).rejects.toMatchObject({
    code: 'UNKNOWN_ENGINE',
    message: expect.stringMatching(/^The server calls itself 'CrateDB 5\.10\.1', .*engine: \{ name: 'CrateDB' \}/),
  })
})

test('named by the option, such a server is worked', async () => {
  const worker = mailWorker(posing(url, calling('CrateDB 5.10.1')), async () => {}, { engine: roundAbout })
  await worker.start()
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
})

test('verbs other than a worker start serve on whatever server', async () => {
  const unknown = posing<MailDatabase>(url, calling('CrateDB 5.10.1'))
  const { home } = await inspectJobTable(unknown, 'mail_jobs')
  expect(home.engine).toMatchObject({ name: 'CrateDB', version: 'CrateDB 5.10.1', listen: true })
})

test.each([
  [{ 'pg_catalog.textout(': 'pg_catalog.no_such_function(' }, /no_such_function.* calls itself 'PostgreSQL/],
  [{ 'pg_catalog.pg_inherits': 'pg_catalog.pg_no_such_table' }, /pg_no_such_table.* calls itself 'PostgreSQL/],
  [{ 'pg_catalog.textout(': 'pg_catalog.no_such_function(', 'select version()': 'select 1/0' }, /no_such_function/],
])('where the catalog is hidden or another one, one error says so at start: %o', async (answers, words) => {
  const worker = mailWorker(posing(url, answers), async () => {})
  await expect(worker.start({ retry: true })).rejects.toMatchObject({
    code: 'CATALOG_UNREADABLE',
    message: expect.stringMatching(words),
  })
  await expect(worker.start()).rejects.toThrow(
    'If a pooler or a proxy answers in its place, connect to the server itself',
  )
})

test.each([
  [{ engine: { skipLocked: false } }, 'mail_jobs is on PostgreSQL, which has no FOR UPDATE SKIP LOCKED'],
  [{ engine: { listen: false }, listen: url }, 'listen: mail_jobs is on PostgreSQL, which has no LISTEN'],
  [{ engine: { name: 'CockroachDB' }, listen: url }, 'listen: mail_jobs is on CockroachDB, which has no LISTEN'],
  [{ engine: { name: 'Aurora DSQL' } }, 'mail_jobs is on Aurora DSQL, which has no FOR UPDATE SKIP LOCKED'],
] as const)('what an engine can not keep is refused at start: %o', async (options, text) => {
  await expect(mailWorker(db, async () => {}, options).start()).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining(text),
  })
})

test.each([
  { limit: { by: 'tenant_id', max: 2 } },
  { limit: { max: 2 } },
  { rate: { by: 'tenant_id', max: 2, per: '1s' } },
  { fifo: 'tenant_id' },
] as const)('without advisory locks %o is refused at start', async (limit) => {
  const options = { ...limit, logger: quiet, engine: { advisoryLocks: false } } as never // each alone is an option
  const worker = createWorker(db, 'tenant_jobs', async () => {}, options)
  await expect(worker.start()).rejects.toThrow('limit, rate, fifo: tenant_jobs is on PostgreSQL, which has no advisory')
})

test('without advisory locks jobs are taken in turn by key, as nobody has to wait for another', async () => {
  await using worker = createWorker(db, 'tenant_jobs', async () => {}, {
    ...{ logger: quiet, fairBy: 'tenant_id', engine: { advisoryLocks: false } },
  })
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  await enqueue(db, 'tenant_jobs', { tenant_id: 1, place: 1 })
  await succeeded
})

test('without advisory locks a rescue asks for none, and takes what a worker has left', async () => {
  const sent: string[] = []
  const told = posing<MailDatabase>(url, {}, (text) => sent.push(text))
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await sql`update mail_jobs set status = 'job_status_running', attempts_count = 1, locked_by = gen_random_uuid(), locked_at = now() - interval '1 day'`.execute(
    db,
  )
  const worker = mailWorker(told, async () => {}, { engine: { advisoryLocks: false } })
  const rescued = next(worker, 'rescued')
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  await Promise.all([rescued, succeeded])
  expect(sent.filter((text) => text.includes('advisory_xact_lock'))).toEqual([])
  await rescue(told, 'mail_jobs', { lease: '60s', maxAttempts: 1 })
  expect(sent.filter((text) => text.includes('advisory_xact_lock'))).toHaveLength(1)
})

test('a worker that is to listen where there are no triggers is warned at start, and told of notifyWorkers', async () => {
  const said: string[] = []
  const logger = { ...quiet, warn: (_facts: object, text: string) => void said.push(text) }
  const worker = mailWorker(db, async () => {}, { logger, listen: url, engine: { triggers: 'none' } })
  await worker.start()
  expect(said).toContainEqual(
    'mail_jobs is on PostgreSQL, which has no triggers for it, so new jobs are found by polling only: call notifyWorkers after the commit, and workers that listen are woken at once',
  )
})

test('what an engine lacks is advice of the table, by the word of the user', async () => {
  expect((await inspectJobTable(db, 'mail_jobs')).advice.join()).not.toContain('is on')
  const { advice, home } = await inspectJobTable(db, 'mail_jobs', { engine: { name: 'CockroachDB' } })
  expect(home.engine).toMatchObject({ name: 'CockroachDB', listen: false })
  expect(advice).toContainEqual(expect.stringContaining('mail_jobs is on CockroachDB, which has no LISTEN'))
})

test.each([
  [{ listens: true }, 'engine.listens: nobody asks that of an engine; there are name, skipLocked'],
  [{ listen: 1 }, 'engine.listen: 1 is invalid; give true or false'],
  ['PostgreSQL', 'engine: "PostgreSQL" is invalid'],
])('the option engine can not be %o', (engine, text) => {
  expect(() => mailWorker(db, async () => {}, { engine: engine as never })).toThrow(text)
})

test.each([true, false])('statements are prepared on a server that keeps them, and on no other: %s', async (keeps) => {
  const sent: string[] = []
  const told = posing<Tables>(url, {}, (text) => sent.push(text))
  const options = { logger: quiet, pollInterval: '20ms', engine: { preparedStatements: keeps } } as const
  await using worker = createWorker(told, 'mail_jobs', async () => {}, { ...options, concurrency: 1 })
  await worker.start()
  for (let n = 0; n < 2; n++) {
    const [succeeded, idle] = [next(worker, 'succeeded'), next(worker, 'idle')]
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    await Promise.all([succeeded, idle])
  }
  expect(sent.some((text) => text.endsWith('/* prepared */'))).toBe(keeps)
})
