import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { CamelCasePlugin, Kysely, type KyselyPlugin, PostgresDialect, sql } from 'kysely'
import {
  type ClaimOptions,
  cancelJobs,
  createBatchWorker,
  createWorker,
  deleteJobs,
  enqueue,
  guardPool,
  type WorkerOptions,
} from 'kysely-jobs'
import { createJobTable, createKeyIndexes, dropKeyIndexes } from 'kysely-jobs/migrate'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createTenantTables, mostAtOnce, type TenantDatabase, witnessed } from './tenant-jobs.js'

const { db, pool, url } = await testDatabase<TenantDatabase>(createTenantTables)

/** Through whose connections a claim and its transaction are one message. */
const guarded = new Kysely<TenantDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(quietPool({ connectionString: url, max: 10 })) }),
})
afterAll(() => guarded.destroy().catch(() => {}))

beforeEach(async () => {
  await sql`truncate tenant_jobs, spans`.execute(db)
})

type Options = WorkerOptions<any> & ClaimOptions<TenantDatabase, 'tenant_jobs'>

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function working(options: Options, handler: (job: any) => unknown = witnessed(db), handle = guarded) {
  const worker = createWorker(handle, 'tenant_jobs', (job) => handler(job) as Promise<void>, {
    ...{ logger: quiet, pollInterval: '1m' },
    ...options,
  })
  const errors: unknown[] = []
  const idle = new Promise((resolve) => worker.once('idle', resolve))
  worker.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  return { worker, errors, idle }
}

/** So many jobs of each of so many tenants, in turn. */
const jobsOf = (tenants: number, each: number) =>
  Array.from({ length: tenants * each }, (_, n) => ({ tenant_id: n % tenants, place: Math.floor(n / tenants) }))

const left = async () => {
  const { rows } = await sql<{
    n: number
  }>`select count(*)::int as n from tenant_jobs where status <> 'job_status_succeeded'`.execute(db)
  return rows[0]?.n
}

test.each<[name: string, options: Options, ofOne: number, ofAll: number]>([
  ['of a key', { limit: { by: 'tenant_id', max: 2 } }, 2, 14],
  ['of all', { limit: { max: 3 } }, 3, 3],
  ['in line', { fifo: 'tenant_id' }, 1, 7],
  ['of all, and fair', { limit: { max: 3 }, fairBy: 'tenant_id' }, 3, 3],
])('a limit %s is kept by several workers, used in full, and all jobs are done', async (_, options, ofOne, ofAll) => {
  await enqueue(db, 'tenant_jobs', jobsOf(7, 30))
  const full = Promise.withResolvers<void>()
  let running = 0
  const handler = async (job: any) => {
    running += 1
    if (running === ofAll) full.resolve()
    await full.promise // of the first ones, until all run that may
    await witnessed(db)(job)
    running -= 1
  }
  const handles = [guarded, guarded, db] // the last one begins and ends the transactions of its claims itself
  const workers = await Promise.all(handles.map((handle) => working(options, handler, handle)))
  await expect.poll(left).toBe(0)
  expect(workers.flatMap(({ errors }) => errors)).toEqual([])
  const most = await mostAtOnce(db)
  expect(most.ofOne).toBeLessThanOrEqual(ofOne)
  expect(most.ofAll).toBeLessThanOrEqual(ofAll)
})

test('processes keep a limit, though some are killed and their jobs are rescued', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(5, 60))
  const children = Array.from({ length: 4 }, () => keyedProcess({ limit: { by: 'tenant_id', max: 2 } }))
  const halfDone = async () => ((await left()) ?? 0) < 200
  await expect.poll(halfDone, { timeout: 60_000 }).toBe(true)
  for (const child of children.slice(0, 2)) child.kill('SIGKILL')
  await expect.poll(left, { timeout: 60_000 }).toBe(0)
  const ended = children.slice(2).map((child) => once(child, 'exit'))
  for (const child of children.slice(2)) child.kill('SIGTERM')
  await Promise.all(ended)
  expect((await mostAtOnce(db)).ofOne).toBeLessThanOrEqual(2)
})

function keyedProcess(options: object): ChildProcess {
  const child = fork(new URL('keyed-process.ts', import.meta.url), [url, JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('jobs of one key run in the order in which they were enqueued, also those that are retried', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(3, 10))
  const done: number[][] = [[], [], []]
  const failed = new Set<string>()
  const handler = ({ tenant_id, place }: { tenant_id: number; place: number }) => {
    if (place % 3 === 1 && failed.size < failed.add(`${tenant_id} ${place}`).size) throw new Error('on purpose')
    done[tenant_id]?.push(place)
  }
  const options = { fifo: 'tenant_id', backoff: () => 20 } as const
  await working(options, handler)
  await working(options, handler)
  await expect.poll(left).toBe(0)
  expect(done).toEqual(Array.from({ length: 3 }, () => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
})

test.each([
  ['continue', [0, 2, 3]],
  ['block', [0]],
] as const)('a job that failed for good, with onFailure %s', async (onFailure, expected) => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 4))
  const done: number[] = []
  const handler = ({ place }: { place: number }) => {
    if (place === 1 && done.length < 2) throw new Error('on purpose')
    done.push(place)
  }
  const { idle } = await working({ fifo: 'tenant_id', onFailure, maxAttempts: 1 }, handler)
  await idle
  expect(done).toEqual(expected)
})

test.each<[name: string, options: Options]>([
  ['fair', { fairBy: 'tenant_id' }],
  ['fair, and limited', { fairBy: 'tenant_id', limit: { by: 'tenant_id', max: 10 } }],
  ['fair, and limited in all', { fairBy: 'tenant_id', limit: { max: 10 } }],
])('who has many jobs does not delay who has one: they are taken in turn, %s', async (_, options) => {
  await enqueue(db, 'tenant_jobs', jobsOf(30, 60))
  await enqueue(db, 'tenant_jobs', { tenant_id: 99, place: 0 })
  let done = 0
  const small = Promise.withResolvers<number>()
  const handler = async ({ tenant_id }: { tenant_id: number }) => {
    done += 1
    if (tenant_id === 99) small.resolve(done)
  }
  await working({ ...options, concurrency: 10 }, handler)
  expect(await small.promise).toBeLessThan(31 * 8) // a few rounds, where it would be the last of 1,801
  await expect.poll(left).toBe(0)
})

test('claims that others hold up are given up, and leave their connections as they were', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 3))
  const own = quietPool({ connectionString: url, max: 2 })
  const handle = new Kysely<TenantDatabase>({ dialect: new PostgresDialect({ pool: own }) })
  onTestFinished(() => void handle.destroy().catch(() => {}))
  const blocked = Promise.withResolvers<void>()
  let done = 0
  await db.connection().execute(async (holder) => {
    const lock = sql.raw(`hashtextextended('kysely-jobs claim "public"."tenant_jobs"', 0)`)
    await sql`select pg_advisory_lock(${lock})`.execute(holder)
    const options = { limit: { max: 2 }, lease: '1s', pollInterval: '50ms', logger: quiet } as const
    const worker = createWorker(handle, 'tenant_jobs', () => void done++, options)
    worker.on('error', () => blocked.resolve())
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
    await blocked.promise
    for (let n = 0; n < 4; n++) await sql`select 1`.execute(handle)
    await sql`select pg_advisory_unlock(${lock})`.execute(holder)
  })
  await expect.poll(() => done).toBe(3)
})

test.each([
  ['is cancelled', (id: string) => cancelJobs(db, 'tenant_jobs', { ids: [id] })],
  ['is deleted', (id: string) => deleteJobs(db, 'tenant_jobs', { ids: [id] })],
])('where a job that holds a line %s, who listens begins the next one at once', async (_, end) => {
  const [first] = await enqueue(db, 'tenant_jobs', [
    { tenant_id: 1, place: 0, run_at: new Date(Date.now() + 3_600_000) },
  ])
  await enqueue(db, 'tenant_jobs', { tenant_id: 1, place: 1 })
  const done: number[] = []
  const { idle } = await working({ fifo: 'tenant_id', listen: url }, ({ place }) => done.push(place))
  await idle
  expect(done).toEqual([])
  await end(first?.id ?? '')
  await expect.poll(() => done).toEqual([1])
})

test('a worker whose keys are full is idle, and goes on as soon as a job of such a key ends', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 3))
  const ends: (() => void)[] = []
  const handler = () => new Promise<void>((resolve) => ends.push(resolve))
  await working({ limit: { by: 'tenant_id', max: 1 } }, handler)
  for (let n = 1; n <= 3; n++) {
    await expect.poll(() => ends.length).toBe(n)
    ends[n - 1]?.()
  }
  await expect.poll(left).toBe(0)
})

test('a job that is not due yet, or is released, holds up no other key', async () => {
  await enqueue(db, 'tenant_jobs', [{ tenant_id: 1, place: 0 }], { delay: '1h' })
  await enqueue(db, 'tenant_jobs', [{ tenant_id: 2, place: 0 }], { delay: 300 })
  await working({ limit: { by: 'tenant_id', max: 1 } })
  await expect.poll(left).toBe(1)
})

test('a row whose claim is refused is passed over, and the others run', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(2, 3))
  await sql`alter table tenant_jobs add constraint odd check (tenant_id <> 0 or place <> 0 or status <> 'job_status_running')`.execute(
    db,
  )
  onTestFinished(() => sql`alter table tenant_jobs drop constraint odd`.execute(db).then(() => {}))
  const { errors } = await working({ limit: { by: 'tenant_id', max: 2 } })
  await expect.poll(left).toBe(1)
  expect(errors.length).toBeGreaterThan(0)
})

test('options that can not go together are refused with the reason, and keys that do not fit at the start', async () => {
  const create = (options: object) => () => createWorker(db, 'tenant_jobs', () => {}, options)
  expect(create({ limit: { by: 'tenant_id', max: 2 }, hold: 'transaction' })).toThrow(
    "hold: 'transaction' does not go with limit, rate, fifo or fairBy: jobs that a transaction holds look pending",
  )
  expect(create({ limit: { by: 'tenant_id', max: 2 }, fairBy: 'place' })).toThrow(
    "limit.by and fairBy go by other columns ('tenant_id'; 'place')",
  )
  expect(create({ limit: { by: 'tenant_id', max: 2 }, fifo: 'tenant_id' })).toThrow(
    'with fifo one job of a key runs at a time',
  )
  expect(create({ onFailure: 'block' })).toThrow('give fifo with it')
  expect(create({ fifo: 'tenant_id', onFailure: 'block', finished: 'archive' })).toThrow(
    "onFailure: 'block' needs the failed job in its table",
  )
  expect(create({ limit: { max: 0 } })).toThrow(
    'limit.max: 0 is invalid; give a whole number of jobs, or a column that has it, at least 1',
  )
  expect(create({ limit: 3 })).toThrow("limit: 3 is invalid; give an object, as in { by: 'tenant_id', max: 2 }")
  expect(create({ limit: { max: 1, per: '1m' } })).toThrow('limit.per: no such option; there are max, by')
  expect(create({ fifo: [] })).toThrow('fifo: an array is invalid; give a column, or a list of columns')
  const start = (options: object) => createWorker(db, 'tenant_jobs', () => {}, { logger: quiet, ...options }).start()
  await expect(start({ fifo: 'tenant' })).rejects.toThrow(
    "limit, rate, fifo, fairBy: tenant_jobs has no column 'tenant'",
  )
  await sql`alter table tenant_jobs add column note text`.execute(db)
  onTestFinished(() => sql`alter table tenant_jobs drop column note`.execute(db).then(() => {}))
  await expect(start({ fairBy: 'note' })).rejects.toThrow("'note' of tenant_jobs may be null, and a key never is")
})

test('the user’s plugins have their say, also with a condition, and in batches', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(3, 6))
  const camel = db.withPlugin(new CamelCasePlugin()) as unknown as Kysely<any>
  const worker = createWorker(camel, 'tenantJobs', () => {}, {
    ...{ logger: quiet, pollInterval: '1m', limit: { by: 'tenantId', max: 1 } },
    where: (eb) => eb('tenantId', '<', 2),
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await expect.poll(left).toBe(6)
  const batches: number[] = []
  const options = { size: 4, fairBy: 'tenant_id', logger: quiet } as const
  const batch = createBatchWorker(db, 'tenant_jobs', (jobs) => void batches.push(jobs.length), options)
  onTestFinished(() => batch.stop({ deadline: 0 }).then(() => {}))
  await batch.start()
  await expect.poll(left).toBe(0)
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(6)
})

test('the user’s plugins see the rows of jobs, and nothing else', async () => {
  const seen: object[] = []
  const watching: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      seen.push(...result.rows)
      return result
    },
  }
  await enqueue(db, 'tenant_jobs', jobsOf(2, 3))
  const options = { logger: quiet, pollInterval: '1m', limit: { by: 'tenant_id', max: 1 } } as const
  const worker = createWorker(db.withPlugin(watching), 'tenant_jobs', () => {}, options)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const idle = new Promise((resolve) => worker.once('idle', () => resolve(undefined)))
  await worker.start()
  await idle
  const jobs = seen.filter((row) => 'tenant_id' in row)
  expect(jobs).toHaveLength(6)
  for (const row of jobs) expect(row).toMatchObject({ created_at: expect.any(Date), id: expect.anything() })
  expect(seen.flatMap(Object.keys).filter((name) => name.startsWith('kysely_jobs_walk'))).toEqual([])
})

test('a worker that stops leaves its keys to others, who listen, at once', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 2))
  const limit = { by: 'tenant_id', max: 1 } as const
  const [began, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const one = await working({ limit, listen: pool }, () => {
    began.resolve()
    return ends.promise
  })
  await began.promise
  let done = 0
  const two = await working({ limit, listen: pool }, () => void done++)
  await expect.poll(() => two.worker.health().listener).toBe('listening')
  const stopped = one.worker.stop()
  ends.resolve()
  await stopped
  await expect.poll(left).toBe(0)
  expect(done).toBe(1)
})

test('a starting worker warns of the indexes that it lacks, and a migration makes and drops them', async () => {
  const lines: string[] = []
  const logger = { ...quiet, warn: (_facts: object, text: string) => void lines.push(text) }
  const advised = async (options: Options) => {
    lines.length = 0
    const { worker } = await working({ ...options, logger })
    await worker.stop()
    return lines.filter((line) => line.includes('createKeyIndexes'))
  }
  expect(await advised({ limit: { by: 'tenant_id', max: 1 } })).toEqual([])
  expect(await advised({ fifo: 'tenant_id' })).toEqual([])
  expect(await advised({ fifo: ['tenant_id', 'place'], onFailure: 'block' })).toEqual([
    `tenant_jobs: "public"."tenant_jobs" lacks an index by which jobs of a key are found, so each fetch reads the table: createKeyIndexes(db, 'tenant_jobs', ['tenant_id', 'place'], { fifo: 'block' }), in a migration, makes it`,
  ])
  await createKeyIndexes(db, 'tenant_jobs', ['tenant_id', 'place'], { fifo: 'block' })
  await createKeyIndexes(db, 'tenant_jobs', ['tenant_id', 'place'], { fifo: 'block', concurrently: true }) // again
  expect(await advised({ fifo: ['tenant_id', 'place'], onFailure: 'block' })).toEqual([])
  await dropKeyIndexes(db, 'tenant_jobs', ['tenant_id', 'place'])
  expect(await advised({ fairBy: 'place' })).toHaveLength(1)
  await expect(createKeyIndexes(db, 'tenant_jobs', ['tenant'])).rejects.toThrow("has no column 'tenant'")
  await expect(createKeyIndexes(db, 'tenant_jobs', [])).rejects.toThrow(
    "names the columns of the key, as in ['tenant_id']",
  )
})

test('a worker with a condition and a key says which indexes both want', async () => {
  const told: string[] = []
  const logger = { ...quiet, info: (_: object, text: string) => void told.push(text) }
  const options = { where: (eb: any) => eb('place', '=', 5), limit: { by: 'tenant_id', max: 2 }, logger } as const
  const worker = createWorker(db, 'tenant_jobs', () => {}, options)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  const waiting = `"status" in ('job_status_not_started', 'job_status_retry') and ("place" = 5)`
  expect(told.join()).toContain(
    `this makes them: create index concurrently on "public"."tenant_jobs" (run_at) where ${waiting}; create index concurrently on "public"."tenant_jobs" ("tenant_id", run_at) where ${waiting}`,
  )
})

test('a table that changes while sessions keep its statements is claimed from as before', async () => {
  const guarded = new Kysely<TenantDatabase>({
    dialect: new PostgresDialect({ pool: guardPool(quietPool({ connectionString: url, max: 2 })) }),
  })
  onTestFinished(() => void guarded.destroy().catch(() => {}))
  let done = 0
  const options = { logger: quiet, limit: { by: 'tenant_id', max: 1 }, pollInterval: '50ms' } as const
  const worker = createWorker(guarded, 'tenant_jobs', () => void done++, options)
  const errors: unknown[] = []
  worker.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  for (let n = 1; n <= 3; n++) {
    await enqueue(db, 'tenant_jobs', jobsOf(2, 4))
    await expect.poll(() => done).toBe(8 * n)
    await sql`alter table tenant_jobs add column ${sql.id(`extra ${n}`)} int`.execute(db)
  }
  expect(errors).toEqual([])
})

test('within a key the highest priority is first, and what is due later is waited for', async () => {
  await createJobTable(db, 'urgent_jobs', (table) => table.addColumn('tenant_id', 'integer', (it) => it.notNull()), {
    columns: ['priority'],
  })
  await createKeyIndexes(db, 'urgent_jobs', ['tenant_id'])
  const handle = db as unknown as Kysely<any>
  await enqueue(
    handle,
    'urgent_jobs',
    [1, 3, 2].map((priority) => ({ tenant_id: 1, priority })),
  )
  await enqueue(handle, 'urgent_jobs', { tenant_id: 2, priority: 9 }, { delay: 200 })
  const done: number[] = []
  const options = { limit: { by: 'tenant_id', max: 1 }, logger: quiet, pollInterval: '1m' } as const
  const worker = createWorker(handle, 'urgent_jobs', ({ priority }) => void done.push(priority), options)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  await expect.poll(() => done).toHaveLength(4)
  expect(done.filter((priority) => priority < 9)).toEqual([3, 2, 1])
})

test('workers of different conditions share a limit, and wake each other', async () => {
  await enqueue(db, 'tenant_jobs', [...jobsOf(1, 1), { tenant_id: 1, place: 0 }, { tenant_id: 1, place: 1 }])
  const ends: (() => void)[] = []
  const handler = () => new Promise<void>((resolve) => ends.push(resolve))
  const options = { limit: { max: 1 }, listen: pool } as const
  const one = await working({ ...options, where: (eb) => eb('tenant_id', '=', 0) }, handler)
  await expect.poll(() => ends.length).toBe(1)
  const other = await working({ ...options, where: (eb) => eb('tenant_id', '=', 1) }, handler)
  for (const { worker } of [one, other]) await expect.poll(() => worker.health().listener).toBe('listening')
  for (let n = 1; n <= 3; n++) {
    await expect.poll(() => ends.length).toBe(n)
    ends[n - 1]?.()
  }
  await expect.poll(left).toBe(0)
})
