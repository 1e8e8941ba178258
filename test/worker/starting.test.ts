import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createRunner, createWorker, enqueue, linear } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** What is logged as a warning. */
function warnings() {
  const said: string[] = []
  return { said, logger: { ...quiet, warn: (_facts: object, message: string) => void said.push(message) } }
}

/** A handle whose server is nowhere. */
function nowhere(options: object = {}) {
  return new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ host: '127.0.0.1', port: 1, ...options }) }),
  })
}

/** Resolves to the port. */
async function listening(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

test('a worker whose server is away says where nothing listens, and asks for the connection string', async () => {
  const worker = createWorker(nowhere(), 'mail_jobs', () => {}, { logger: quiet })
  await expect(worker.start()).rejects.toMatchObject({
    code: 'CONNECTION',
    message: expect.stringMatching(/^Nothing listens at 127\.0\.0\.1:1: .*DATABASE_URL/),
  })
})

test.each(['worker', 'runner'] as const)('a %s that may wait starts when its server does', async (kind) => {
  const { hostname, port, pathname, username, password } = new URL(url)
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      from.on('error', () => to.destroy()).pipe(to)
  })
  const reserved = await listening(server, 0)
  server.close()
  const place = { host: '127.0.0.1', port: reserved, database: pathname.slice(1), user: username, password }
  const own = nowhere(place)
  const worker = createWorker(own, 'mail_jobs', () => {}, { logger: quiet })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const told: string[] = []
  const waits = next<{ doing: string }>(worker, 'error')
  worker.on('error', ({ doing }) => told.push(doing))
  const starting = kind === 'worker' ? worker.start({ retry: true }) : createRunner(own, { workers: [worker] }).start()
  expect((await waits).doing).toBe('starting, which is tried again')
  await listening(server, reserved)
  onTestFinished(() => void server.close())
  await starting
  expect(worker.health().state).toBe('running')
  expect(told.length).toBeLessThan(4)
})

test.each(['lock_timeout', 'statement_timeout'])(
  'a start that runs into a %s, as a migration holds its locks, is tried again where it may wait',
  async (setting) => {
    const impatient = new Kysely<MailDatabase>({
      dialect: new PostgresDialect({ pool: quietPool({ connectionString: url, options: `-c ${setting}=100ms` }) }),
    })
    const worker = createWorker(impatient, 'mail_jobs', () => {}, { logger: quiet })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const waits = next<{ doing: string; error: { code: string } }>(worker, 'error')
    const starting = await db.transaction().execute(async (trx) => {
      await sql`lock table pg_catalog.pg_trigger in access exclusive mode`.execute(trx)
      await expect(createWorker(impatient, 'mail_jobs', () => {}, { logger: quiet }).start()).rejects.toMatchObject({
        code: 'CONNECTION',
        message: expect.stringContaining('took too long'),
      })
      const started = worker.start({ retry: true })
      expect(await Promise.race([waits, started])).toMatchObject({ doing: 'starting, which is tried again' })
      return { started }
    })
    await starting.started
    expect(worker.health().state).toBe('running')
  },
)

test('a worker that waits for its server can be stopped; one whose table is missing does not wait', async () => {
  const waiting = createWorker(nowhere(), 'mail_jobs', () => {}, { logger: quiet })
  const told = next(waiting, 'error')
  const starting = waiting.start({ retry: true })
  await told
  expect(await waiting.stop()).toEqual({ left: 0 })
  await starting
  const missing = createWorker(db as Kysely<any>, 'nothing' as never, (() => {}) as never, { logger: quiet })
  await expect(missing.start({ retry: true })).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
})

test('durations that were likely meant in seconds, and a listen that is undefined, are said at start', async () => {
  const { said, logger } = warnings()
  await using worker = createWorker(db, 'mail_jobs', () => {}, {
    ...{ logger, timeout: 30, pollInterval: 60, backoff: linear({ delay: 30 }), listen: undefined },
  })
  await worker.start()
  expect(said).toEqual([
    "mail_jobs: timeout: 30 is 30 milliseconds; if seconds are meant, give '30s'",
    "mail_jobs: pollInterval: 60 is 60 milliseconds; if seconds are meant, give '60s'",
    "mail_jobs: backoff delay: 30 is 30 milliseconds; if seconds are meant, give '30s'",
    expect.stringContaining('mail_jobs: listen: undefined was given, so new jobs are found by polling only'),
    expect.stringContaining('mail_jobs: the pool is not guarded'),
  ])
})

test('a worker that is to listen to a table without triggers says so at start, and again when polling finds what it was not told', async () => {
  await sql`alter table mail_jobs disable trigger user`.execute(db)
  onTestFinished(() => sql`alter table mail_jobs enable trigger user`.execute(db).then(() => {}))
  const { said, logger } = warnings()
  await using worker = createWorker(db, 'mail_jobs', () => {}, { logger, listen: url, lease: '1s' })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(said).toContainEqual(
    'mail_jobs has no enabled trigger did_insert_job_mail_jobs nor did_update_job_mail_jobs, so new jobs are found by polling only: createJobTriggers, in a migration, makes it',
  )
  const told = () => said.some((text) => text.includes('polling found jobs of which no notification told'))
  for (let n = 0; n < 50 && !told(); n++) {
    const [succeeded, rests] = [next(worker, 'succeeded'), next(worker, 'idle')]
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    await Promise.all([succeeded, rests])
  }
  expect(told()).toBe(true)
})
