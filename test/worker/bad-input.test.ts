import { inspect } from 'node:util'
import { sql } from 'kysely'
import { createWorker, enqueue, exponential, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const create = (options: object) => createWorker(db, 'mail_jobs', async () => {}, options as WorkerOptions)

test.each([
  [{ concurrency: 0 }, 'concurrency: 0 is invalid; give a whole number of handlers, at least 1'],
  [{ concurrency: 1.5 }, 'concurrency: 1.5 is invalid'],
  [{ concurrency: '4' }, 'concurrency: "4" is invalid'],
  [{ maxAttempts: -1 }, 'maxAttempts: -1 is invalid; give a whole number or a function of the job, at least 0'],
  [{ maxAttempts: Number.NaN }, 'maxAttempts: NaN is invalid'],
  [{ backoff: exponential }, "backoff: exponential is to be called, as in exponential({ delay: '30s' })"],
  [{ backoff: 30 }, 'backoff: 30 is invalid; give linear({ delay }), exponential({ delay }) or a function'],
  [
    { timeout: '30 sec' },
    `timeout: "30 sec" is not a duration; give milliseconds (30000) or a number with ms, s, m, h or d ('30s')`,
  ],
  [{ timeout: 0 }, 'timeout: 0 is invalid; give more than 0'],
  [{ lease: 50 }, 'lease: 50 is invalid; give at least 1 s and at most 24 h'],
  [{ lease: '80d' }, 'lease: 80d is invalid'],
  [{ concurrency: 1e9 }, 'concurrency: 1000000000 is invalid; give at most 10000'],
  [{ backoff: { delay: Number.NaN, factor: 2, max: 1, jitter: 0 } }, 'backoff: an object is invalid; give linear('],
  [{ backoff: { delay: 1, factor: 2, max: 1e300, jitter: 0 } }, 'backoff: an object is invalid; give linear('],
  [{ listen: 'garbage' }, 'listen: the connection string can not be read'],
  [{ deleteSucceeded: true }, "deleteSucceeded: give succeeded: 'delete', or 'archive' or 'keep', in its place"],
  [{ succeeded: 'gone' }, `succeeded: "gone" is invalid; give 'keep' or 'delete' or 'archive'`],
  [{ finished: 'delete' }, `finished: "delete" is invalid; give 'keep' or 'archive'`],
  [{ seedBackoff: 'no' }, 'seedBackoff: "no" is invalid; give true or false'],
  [[], 'The options are an array; give an object'],
  [{ lease: Number.POSITIVE_INFINITY }, 'lease: Infinity is not a duration'],
  [{ pollInterval: -5 }, 'pollInterval: -5 is not a duration'],
  [{ logger: { info() {} } }, 'logger: lacks debug(), warn(), error()'],
  [{ listen: 7 }, 'listen: 7 is invalid'],
  [{ concurency: 4 }, 'concurency: no such option; there are concurrency, maxAttempts'],
  [{ seedBackoff: true, backoff: () => 1 }, 'seedBackoff: the database can not call a function'],
])('the options %o are refused when the worker is created', (options, message) => {
  expect(() => create(options)).toThrow(message)
})

test('a connection string that can not be read is refused without being shown', () => {
  const listen = 'postgres://ann:s3cret@host:port/db'
  const create = () => createWorker(db, 'mail_jobs', async () => {}, { listen })
  expect(create).toThrow('listen: the connection string can not be read; give postgres://user:password@')
  try {
    create()
  } catch (error) {
    expect(inspect(error, { depth: 5, showHidden: true })).not.toContain('s3cret')
  }
})

test('an option that is undefined means its default', () => {
  expect(() =>
    create({ concurrency: undefined, timeout: undefined, listen: undefined, logger: undefined }),
  ).not.toThrow()
})

test('a handler that is no function is refused', () => {
  expect(() => createWorker(db, 'mail_jobs', 'send' as never)).toThrow('the handler of mail_jobs is no function')
})

test('a table that is no job table is refused at start, with everything that is missing in one error', async () => {
  const worker = createWorker(db, 'sent' as never, async () => {})
  await expect(worker.start()).rejects.toMatchObject({
    code: 'NOT_A_JOB_TABLE',
    message: expect.stringMatching(/sent.*created_at.*locked_by.*run_at/s),
  })
  expect(worker.health()).toMatchObject({ state: 'new', alive: false })
})

test('a table that does not exist is refused at start', async () => {
  await expect(createWorker(db, 'nope' as never, async () => {}).start()).rejects.toThrow('There is no table "nope"')
})

const circular: { self?: unknown } = {}
circular.self = circular
const selfCaused = new Error('of itself')
selfCaused.cause = selfCaused

test.each<[string, unknown, RegExp]>([
  ['undefined', undefined, /^A value that is no error was thrown: undefined$/],
  ['null', null, /^A value that is no error was thrown: null$/],
  ['a string', 'plain words', /^plain words$/],
  ['a circular object', circular, /^A value that is no error was thrown: .*Circular/s],
  ['a symbol', Symbol('s'), /Symbol\(s\)/],
  ['an empty text', '', /^A value that is no error was thrown: ''$/],
  ['a message that is no text', Object.assign(new Error(), { message: { deep: 1 } }), /^Error: \{ deep: 1 \}/],
  ['a name that is no text', Object.assign(new Error('s'), { name: Symbol('n') }), /^Symbol\(n\): s/],
  ['an error that is its own cause', selfCaused, /^Error: of itself\n\s+at (?!.*caused by)/s],
  ['an error with a cause', new Error('outer', { cause: new Error('inner') }), /^Error: outer\ncaused by Error: inner/],
  ['NUL bytes', new Error('a\0b'), /^Error: a\uFFFDb/],
  ['half a surrogate pair', new Error('a\uD800b'), /^Error: a\uFFFDb/],
  ['10 MB', new Error('x'.repeat(10_000_000)), /^Error: x{7000}x* \.\.\. \(10\d{6} characters\)$/],
  [
    'throwing getters',
    Object.defineProperties(new Error('never'), {
      message: {
        get: () => {
          throw new Error('message')
        },
      },
      stack: {
        get: () => {
          throw new Error('stack')
        },
      },
    }),
    /^An error without a readable message/,
  ],
  [
    'a hostile proxy',
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('get')
        },
        getPrototypeOf: () => {
          throw new Error('proto')
        },
      },
    ),
    /./,
  ],
])('a handler that throws %s leaves a readable last_error, and the next job runs', async (_name, thrown, text) => {
  const bad = await enqueue(db, 'mail_jobs', { to: 'bad' })
  await using worker = createWorker(db, 'mail_jobs', (job) => (job.to === 'bad' ? Promise.reject(thrown) : undefined), {
    logger: quiet,
  })
  const failed = next(worker, 'retry')
  await worker.start()
  await failed
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'good' })
  await worker.stop()
  await using second = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const good = Promise.race([succeeded, next(second, 'succeeded')])
  await second.start()
  await good
  const row = await db.selectFrom('mail_jobs').selectAll().where('id', '=', bad.id).executeTakeFirstOrThrow()
  expect(row.status).toBe('job_status_retry')
  expect(row.last_error).toMatch(text)
  expect(row.last_error?.length).toBeLessThanOrEqual(8000)
})

test('a listener that throws, and a logger that throws, do not hurt the worker', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }])
  await using worker = createWorker(db, 'mail_jobs', async () => {}, {
    logger: {
      ...quiet,
      debug: () => {
        throw new Error('log')
      },
    },
    concurrency: 1,
  })
  worker.on('succeeded', () => {
    throw new Error('listener')
  })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(await db.selectFrom('mail_jobs').select('status').execute()).toEqual([
    { status: 'job_status_succeeded' },
    { status: 'job_status_succeeded' },
  ])
})

test('a table that is renamed while the worker runs stops nothing: it says so, and goes on when it is back', async () => {
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, pollInterval: '10ms' })
  await worker.start()
  const away = next<{ doing: string }>(worker, 'error', ({ doing }) => doing === 'fetching jobs')
  await sql`alter table mail_jobs rename to hidden_jobs`.execute(db)
  await away
  await sql`alter table hidden_jobs rename to mail_jobs`.execute(db)
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  expect(worker.health().alive).toBe(true)
})

test('a status that we do not know is left alone', async () => {
  await sql`alter type job_status add value if not exists 'job_status_on_hold'`.execute(db)
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  await sql`update mail_jobs set status = 'job_status_on_hold' where id = ${id}`.execute(db)
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(await sql`select status from mail_jobs`.execute(db)).toMatchObject({
    rows: [{ status: 'job_status_on_hold' }],
  })
})

test('an outcome that the table refuses is tried again while the lease lives, and its neighbours are written', async () => {
  await sql`alter table mail_jobs add constraint picky check ("to" <> 'bad' or status <> 'job_status_succeeded')`.execute(
    db,
  )
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'bad', 'b', 'c'].map((to) => ({ to })),
  )
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  let written = 0
  const others = next(worker, 'succeeded', () => ++written === 3)
  const refused = next<{ error: Error }>(worker, 'error', ({ error }) => error.message.includes('picky'))
  await worker.start()
  await others
  expect((await refused).error.message).toContain('picky')
  const bad = next(worker, 'succeeded')
  await sql`alter table mail_jobs drop constraint picky`.execute(db)
  await bad
  expect(await db.selectFrom('mail_jobs').select('status').distinct().execute()).toEqual([
    { status: 'job_status_succeeded' },
  ])
})

test('a success that the table goes on refusing becomes a failure that says why', async () => {
  await db.deleteFrom('mail_jobs').execute()
  await sql`alter table mail_jobs add constraint picky check (status <> 'job_status_succeeded')`.execute(db)
  await enqueue(db, 'mail_jobs', { to: 'bad' })
  await using worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, lease: '1s' })
  const retry = next<{ error: string }>(worker, 'retry')
  await worker.start()
  expect((await retry).error).toMatch(/its success was refused for 1000 ms\ncaused by .*picky/)
  expect(await db.selectFrom('mail_jobs').select(['status', 'attempts_count']).execute()).toEqual([
    { status: 'job_status_retry', attempts_count: 1 },
  ])
  await sql`alter table mail_jobs drop constraint picky`.execute(db)
})
