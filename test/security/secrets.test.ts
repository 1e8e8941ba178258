import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool, type Worker, type WorkerOptions } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { quietPool } from '../support/database.js'
import { next } from '../worker/mail-jobs.js'

const password = 's3cret/ü:@'
const payload = 'p4yload'
/** What must be seen nowhere: the password as it is, as a URL has it, and as pg would put it into an error. */
const secrets = [password, encodeURIComponent(password), 's3cret']

const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-secrets-'))
const hba = join(folder, 'pg_hba.conf')
writeFileSync(hba, 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n')
chmodSync(folder, 0o755)
const server = await startPostgres({ fsync: false, settings: { hba_file: hba } })
const adminPool = quietPool({ connectionString: server.url, max: 2 })
const admin = new Kysely<any>({ dialect: new PostgresDialect({ pool: adminPool }) })
afterAll(async () => {
  await admin.destroy()
  await server.stop()
  rmSync(folder, { recursive: true })
})
await createJobTable(admin, 'mail_jobs', (table) => table.addColumn('to', 'text'), { columns: ['errors'] })
await sql.raw(`create user ada; grant all on mail_jobs to ada`).execute(admin)

const urlOf = (secret: string, host = `127.0.0.1:${server.port}`) =>
  `postgres://ada:${encodeURIComponent(secret)}@${host}/postgres`

beforeEach(async () => {
  await sql.raw(`alter user ada password '${password}'`).execute(admin)
  await admin.deleteFrom('mail_jobs').execute()
})

/** Whatever somebody could write down of a value. */
function everythingOf(value: unknown): string {
  let json = ''
  try {
    json = JSON.stringify(value)
  } catch {
    // circular
  }
  const error = value instanceof Error ? `${value.stack} ${JSON.stringify({ ...value })}` : ''
  return `${inspect(value, { depth: 8, showHidden: true, maxStringLength: null, maxArrayLength: null })} ${json} ${error}`
}

const events = ['started', 'claimed', 'succeeded', 'retry', 'failed', 'timedOut', 'snoozed', 'cancelled', 'released']
events.push('lost', 'rescued', 'listener', 'idle', 'error', 'stopped')

/** A worker as ada, of which every log line and every event is kept. */
function recorded(url: string, options: Partial<WorkerOptions<any>> = {}, handler: (job: any) => unknown = () => {}) {
  const logged: string[] = []
  const told: string[] = []
  const line = (facts: object, message: string) => logged.push(message + everythingOf(facts))
  const db = new Kysely<any>({
    dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString: url, max: 3 })) }),
  })
  const worker: Worker<any, 'mail_jobs'> = createWorker(db, 'mail_jobs', handler, {
    logger: { debug: line, info: line, warn: line, error: line },
    listen: url,
    ...options,
  })
  for (const event of events) worker.on(event as 'error', (said) => told.push(event + everythingOf(said)))
  onTestFinished(async () => {
    await worker.stop({ deadline: 100 })
    await db.destroy()
  })
  return {
    worker,
    logged,
    told,
    everything: () => [...logged, ...told, everythingOf(worker), everythingOf(worker.health())],
  }
}

function expectNoSecrets(texts: readonly string[]): void {
  expect(texts.length).toBeGreaterThan(0)
  for (const secret of secrets) expect(texts.filter((text) => text.includes(secret))).toEqual([])
}

const listening = ({ state }: { state: string }) => state === 'listening'

test.each<[string, () => string]>([
  ['a wrong password', () => urlOf(`${password}x`)],
  ['nobody who listens', () => urlOf(password, '127.0.0.1:1')],
  ['a database that is not there', () => `${urlOf(password).slice(0, -'postgres'.length)}nowhere`],
  ['a table that ada may not see', () => `${urlOf(password)}?options=-c%20search_path%3Dnowhere`],
])('start() meets %s: neither its error nor a log line tells the password', async (_, url) => {
  const { worker, everything } = recorded(url())
  const refused = await worker.start().catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Error)
  expectNoSecrets([everythingOf(refused), ...everything()])
})

test.each([`postgres://ada:s3cret@host:port/db`, `postgres://ada:s3cret%@host/db`, 'postgres://ada:s3cret@[::1/db'])(
  'a URL that can not be read is told by no error (%#)',
  async (url) => {
    const { worker, everything } = recorded(url, { listen: undefined })
    const refused = await worker.start().catch((error: unknown) => error)
    expectNoSecrets([everythingOf(refused), ...everything()])
    const good = recorded(urlOf(password), { listen: { connectionString: url } })
    const told = next(good.worker, 'listener', ({ reason }: { reason?: Error }) => reason !== undefined)
    await good.worker.start()
    await told
    expectNoSecrets(good.everything())
  },
)

test('a password that changes while it runs, a listener that is killed, a server that goes: not a word of the password', async () => {
  const { worker, everything } = recorded(urlOf(password), { pollInterval: '20ms', lease: '1s' })
  const on = next(worker, 'listener', listening)
  await worker.start()
  await on
  const refused = next<any>(worker, 'error', ({ error }) => error.code === '28P01')
  const deaf = next<any>(worker, 'listener', ({ reason }) => reason?.code === '28P01')
  await sql.raw(`alter user ada password 'another'`).execute(admin)
  let isRefused = false
  const both = Promise.all([refused, deaf]).finally(() => {
    isRefused = true
  })
  // Again and again: a connection that was just being made is not seen by the first look.
  while (!isRefused)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ada'`.execute(admin)
  await both
  const gone = next<any>(worker, 'error', ({ error }) => error.code === 'ECONNREFUSED')
  await server.halt('fast')
  await gone
  await server.resume()
  await sql.raw(`alter user ada password '${password}'`).execute(admin)
  const succeeded = next(worker, 'succeeded')
  await enqueue(admin, 'mail_jobs', { to: payload })
  await succeeded
  expectNoSecrets(everything())
})

test('where a row is refused, log lines and last_error tell why, and nothing of its payload', async () => {
  await sql`alter table mail_jobs add constraint picky check (status <> 'job_status_succeeded')`.execute(admin)
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop constraint picky`.execute(admin)
  })
  await enqueue(admin, 'mail_jobs', { to: payload })
  const { worker, logged, told } = recorded(urlOf(password), { lease: '1s' })
  const retry = next<{ error: string }>(worker, 'retry')
  await worker.start()
  expect((await retry).error).toContain('picky')
  expect(logged.join()).toContain('picky')
  expect(logged.filter((line) => line.includes(payload))).toEqual([])
  expect(told.join()).toContain(payload) // events have the job
  expect(JSON.stringify(await admin.selectFrom('mail_jobs').select(['last_error', 'errors']).execute())).not.toContain(
    payload,
  )
})

test('of a job that succeeds, fails, is rescued, snoozed or lost no log line has the payload', async () => {
  await enqueue(admin, 'mail_jobs', [{ to: payload }, { to: `${payload} fails` }])
  await sql`update mail_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), attempts_count = 1,
    locked_at = now() - interval '1 hour' where "to" = ${payload}`.execute(admin)
  const { worker, logged } = recorded(urlOf(password), { maxAttempts: 2 }, async (job) => {
    if (job.to !== payload) throw new Error('no such user')
  })
  const ended = Promise.all(['rescued', 'succeeded', 'retry'].map((event) => next(worker, event)))
  await worker.start()
  await ended
  await worker.stop()
  expect(logged.length).toBeGreaterThan(4)
  expect(logged.filter((line) => line.includes(payload))).toEqual([])
})

/** What is written of a thrown error: its event, its row, its log lines. */
async function written(thrown: unknown, options: Partial<WorkerOptions<any>> = {}) {
  await enqueue(admin, 'mail_jobs', { to: payload })
  const { worker, logged } = recorded(urlOf(password), { maxAttempts: 1, listen: undefined, ...options }, () =>
    Promise.reject(thrown),
  )
  const failed = next<{ error: string }>(worker, 'failed')
  await worker.start()
  const { error } = await failed
  await worker.stop()
  const row = await admin.selectFrom('mail_jobs').select(['last_error', 'errors']).executeTakeFirstOrThrow()
  expect(row.last_error).toBe(error)
  expect(row.errors).toMatchObject([{ attempt: 1, error }])
  return { text: error, logged: logged.join('\n') }
}

test('the password of a URL in what a handler throws is masked, in causes as well', async () => {
  const cause = new Error(`connect ${urlOf(password)}`)
  const { text, logged } = await written(new Error(`https://ann:s3cret@example.com/ said no`, { cause }))
  expect(text).toContain('Error: https://ann:***@example.com/ said no\ncaused by Error: connect postgres://ada:***@')
  expectNoSecrets([text, logged])
})

test('of an error that holds others, as of a host where no address answers, each is told', async () => {
  const { text } = await written(new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')]))
  expect(text).toMatch(/caused by Error: ::1 refused[\s\S]*caused by Error: 127\.0\.0\.1 refused/)
})

test('describeError decides what is written of an error, and knows its job', async () => {
  const describeError = (error: unknown, job: any) => `${(error as Error).name} of ${typeof job?.id} ${'\0'}`
  const { text, logged } = await written(new RangeError('s3cret'), { describeError })
  expect(text).toBe('RangeError of string \uFFFD')
  expectNoSecrets([text, logged])
})

test('describeError is asked for the errors of the worker itself too, without a job', async () => {
  const asked: unknown[] = []
  const describeError = (_error: unknown, job: unknown) => {
    asked.push(job)
    return 'left out'
  }
  const { worker, logged } = recorded(urlOf(password), { pollInterval: '20ms', describeError })
  const on = next(worker, 'listener', listening)
  await worker.start()
  await on
  const fetching = next<{ doing: string }>(worker, 'error', ({ doing }) => doing === 'fetching jobs')
  const told = [fetching, next(worker, 'listener')]
  await sql`alter table mail_jobs rename to hidden_jobs`.execute(admin)
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ada'`.execute(admin)
  await Promise.all(told)
  await sql`alter table hidden_jobs rename to mail_jobs`.execute(admin)
  expect(new Set(asked)).toEqual(new Set([undefined]))
  expect(logged.filter((line) => line.includes('fetching jobs')).join()).toContain("error: 'left out'")
  expect(logged.filter((line) => line.includes('listener connecting')).join()).toContain("reason: 'left out'")
  expect(logged.join('\n')).not.toMatch(/terminat|does not exist/)
})

test.each<[string, (error: unknown) => unknown, RegExp]>([
  [
    'throws',
    () => {
      throw new TypeError('s3cret')
    },
    /^RangeError: left out, as describeError\(\) threw TypeError$/,
  ],
  [
    'gives a promise',
    async () => 's3cret',
    /^RangeError: left out, as describeError\(\) gave an object in place of a text$/,
  ],
  ['gives nothing', () => undefined, /^RangeError: left out, as describeError\(\) gave undefined in place of a text$/],
  ['gives 10 MB', () => 'x'.repeat(10_000_000), /^x{7000}x* \.\.\. \(10000000 characters\)$/],
  ['gives a URL', () => 'postgres://ada:s3cret@host/db', /^postgres:\/\/ada:\*\*\*@host\/db$/],
])('where describeError %s, the job is settled, and nothing of the error gets out', async (_, describeError, said) => {
  const thrown = new RangeError('s3cret')
  const { text, logged } = await written(thrown, { describeError: describeError as () => string })
  expect(text).toMatch(said)
  expectNoSecrets([text, logged])
})

test('a describeError that is no function is refused when the worker is created', () => {
  expect(() => recorded(urlOf(password), { describeError: 'name' as never })).toThrow(
    'describeError: "name" is invalid; give a function of the error and the job',
  )
})
