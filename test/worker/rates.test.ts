import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Kysely, ParseJSONResultsPlugin, PostgresDialect, sql } from 'kysely'
import { type ClaimOptions, createWorker, enqueue, guardPool, limitJobs, type WorkerOptions } from 'kysely-jobs'
import { createJobLimits, dropJobLimits } from 'kysely-jobs/migrate'
import { notifyWorkers } from 'kysely-jobs/queue'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { KeptLimits } from '../../src/queue/allowance.js'
import { forgetLimits } from '../../src/queue/forget-limits.js'
import { jobsOf as jobTable } from '../../src/schema/job-database.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createTenantTables, type TenantDatabase } from './tenant-jobs.js'

const { db, url } = await testDatabase<TenantDatabase>(createTenantTables)

const texts: string[] = []
const guarded = new Kysely<TenantDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(quietPool({ connectionString: url, max: 10 })) }),
  log: ({ query }) => void texts.push(query.sql),
})
afterAll(() => guarded.destroy().catch(() => {}))

beforeEach(async () => {
  await sql`truncate tenant_jobs, spans, job_limits`.execute(db)
})

type Options = WorkerOptions<any> & ClaimOptions<TenantDatabase, 'tenant_jobs'>

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function working(options: Options, handler: (job: any) => unknown = () => {}, handle = guarded) {
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

const jobsOf = (tenants: number, each: number) =>
  Array.from({ length: tenants * each }, (_, n) => ({ tenant_id: n % tenants, place: Math.floor(n / tenants) }))

/** How many jobs of each tenant have begun, in order. */
async function begun(): Promise<number[]> {
  const { rows } = await sql<{ n: number }>`
    select sum(attempts_count)::int as n from tenant_jobs group by tenant_id order by tenant_id`.execute(db)
  return rows.map(({ n }) => n)
}

/** Lets time pass for what is kept of rates. */
const pass = (interval: string) => sql`update job_limits set used_at = used_at - ${interval}::interval`.execute(db)

test.each<[name: string, options: Options, first: number[], afterwards: number[]]>([
  ['of a key', { rate: { by: 'tenant_id', max: 1, per: '1h', burst: 3 } }, [3, 3, 3], [5, 5, 5]],
  ['of all', { rate: { max: 1, per: '1h', burst: 3 }, fairBy: 'tenant_id' }, [1, 1, 1], [2, 2, 1]],
  ['whose burst is its max', { rate: { by: 'tenant_id', max: 3, per: '3h' } }, [3, 3, 3], [5, 5, 5]],
  [
    'beside a limit',
    { rate: { by: 'tenant_id', max: 1, per: '1h', burst: 3 }, limit: { by: 'tenant_id', max: 1 } },
    [3, 3, 3],
    [5, 5, 5],
  ],
  ['in line', { rate: { by: 'tenant_id', max: 1, per: '1h', burst: 3 }, fifo: 'tenant_id' }, [3, 3, 3], [5, 5, 5]],
])(
  'a rate %s lets so many start over all workers, and the next ones in time',
  async (_, options, first, afterwards) => {
    await enqueue(db, 'tenant_jobs', jobsOf(3, 10))
    const workers = await Promise.all(
      [guarded, guarded, db].map((handle) => working({ ...options, listen: url }, () => {}, handle)),
    )
    await expect.poll(begun).toEqual(first)
    await Promise.all(workers.map(({ idle }) => idle))
    expect(await begun()).toEqual(first)
    await pass('2 hours')
    await notifyWorkers(db, 'tenant_jobs')
    await expect.poll(async () => (await begun()).toSorted((a, b) => b - a)).toEqual(afterwards)
    expect(workers.flatMap(({ errors }) => errors)).toEqual([])
  },
)

test('a job that waits for its rate begins by itself, and until then nobody polls', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 12))
  texts.length = 0
  await working({ rate: { by: 'tenant_id', max: 20, per: '1s', burst: 1 } })
  await expect.poll(begun, { timeout: 10_000 }).toEqual([12])
  expect(texts.filter((text) => text.includes('pg_advisory_xact_lock')).length).toBeLessThan(4 * 12)
})

test('there are never more starts than the burst and what comes to the time since, by the database’s clock', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(2, 60))
  const starts: { tenant: number; at: number }[] = []
  const handler = ({ tenant_id, locked_at }: { tenant_id: number; locked_at: Date }) =>
    void starts.push({ tenant: tenant_id, at: locked_at.getTime() })
  const options = { rate: { by: 'tenant_id', max: 100, per: '1s', burst: 5 }, concurrency: 4 } as const
  for (const handle of [guarded, guarded, db]) await working(options, handler, handle)
  await expect.poll(() => starts.length, { timeout: 10_000 }).toBe(120)
  for (const tenant of [0, 1]) {
    const times = starts
      .filter((start) => start.tenant === tenant)
      .map(({ at }) => at)
      .toSorted((a, b) => a - b)
    const [first = 0, last = 0] = [times[0], times.at(-1)]
    expect(times.length).toBeLessThanOrEqual(5 + ((last - first) * 100) / 1000 + 2)
  }
})

test('a clock that is set back holds no key up for longer than one start takes', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 3))
  await sql`insert into job_limits values
    ('public', 'tenant_jobs', '{"tenant_id": "0"}', 'rate', null, 50, now() + interval '1 year')`.execute(db)
  await working({ rate: { by: 'tenant_id', max: 50, per: '1s' } })
  await expect.poll(begun).toEqual([3])
})

test('workers of different rates, as during a deploy, let no more start than the larger burst and the faster of both', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(1, 60))
  const [first, other] = [
    { max: 10, per: '1h' },
    { max: 20, per: '2h', burst: 4 },
  ] as const
  const workers = await Promise.all(
    [first, other, first, other].map((rate) => working({ rate: { by: 'tenant_id', ...rate } })),
  )
  await Promise.all(workers.map(({ idle }) => idle))
  expect((await begun())[0]).toBeLessThanOrEqual(10)
})

test('a job that the table refuses is passed over, and the others start', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(2, 3))
  const isOdd = sql`tenant_id <> 0 or place <> 0 or status <> 'job_status_running'`
  await sql`alter table tenant_jobs add constraint odd check (${isOdd})`.execute(db)
  onTestFinished(() => sql`alter table tenant_jobs drop constraint odd`.execute(db).then(() => {}))
  await working({ rate: { by: 'tenant_id', max: 10, per: '1h' } })
  await expect.poll(begun).toEqual([2, 3])
})

test('who sets limits in a transaction that stays open holds up no claim', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(2, 2))
  await db.transaction().execute(async (trx) => {
    await limitJobs(trx, 'tenant_jobs', { where: { tenant_id: 0 }, max: 1 })
    await working({ rate: { by: 'tenant_id', max: 10, per: '1h' } })
    await expect.poll(begun).toEqual([2, 2])
  })
})

test('a plugin that parses JSON in what it is answered sees none of ours', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(2, 2))
  const parsing = guarded.withPlugin(new ParseJSONResultsPlugin())
  const { errors } = await working({ rate: { by: 'tenant_id', max: 10, per: '1h' } }, () => {}, parsing)
  await expect.poll(begun).toEqual([2, 2])
  expect(errors).toEqual([])
})

test('a job that is locked by hand as it becomes due starts when it is let go, where nothing runs', async () => {
  const [job] = await enqueue(db, 'tenant_jobs', jobsOf(1, 1))
  const { idle } = await db.transaction().execute(async (trx) => {
    await sql`select from tenant_jobs where id = ${job?.id} for update`.execute(trx)
    const worker = await working({ rate: { by: 'tenant_id', max: 10, per: '1h' } })
    await worker.idle
    return worker
  })
  await idle
  await expect.poll(begun).toEqual([1])
})

test('processes keep a rate, though some are killed and their jobs run again', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(3, 20))
  const options = { rate: { by: 'tenant_id', max: 1, per: '1h', burst: 8 }, lease: '1s', pollInterval: '100ms' }
  const children = Array.from({ length: 4 }, () => keyedProcess(options))
  await Promise.all(children.map((child) => once(child, 'message')))
  for (const child of children.slice(0, 2)) child.kill('SIGKILL')
  const used = () => sql`select from job_limits where used > 7.5`.execute(db)
  await expect.poll(async () => (await used()).rows.length, { timeout: 20_000 }).toBe(3)
  await working({ rate: options.rate as never }).then(({ idle }) => idle)
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from spans group by tenant_id`.execute(db)
  expect(Math.max(...rows.map(({ n }) => n))).toBeLessThanOrEqual(8)
})

function keyedProcess(options: object): ChildProcess {
  const child = fork(new URL('keyed-process.ts', import.meta.url), [url, JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('what is kept of rates that are used no more is deleted, and limits that were set are not', async () => {
  await sql`insert into job_limits values
    ('public', 'tenant_jobs', '{"tenant_id": "1"}', 'rate', null, 5, now() - interval '1 hour'),
    ('public', 'tenant_jobs', '{"tenant_id": "2"}', 'rate', null, 5, now()),
    ('public', 'tenant_jobs', '{"tenant_id": "3"}', 'limit', 5, 0, now() - interval '1 hour'),
    ('public', 'other_jobs', '{"tenant_id": "1"}', 'rate', null, 5, now() - interval '1 hour')`.execute(db)
  await sql`insert into job_limits
    select 'public', 'tenant_jobs', jsonb_build_object('tenant_id', n::text), 'rate', null, 5, now() - interval '1 hour'
    from generate_series(10, 5009) n`.execute(db)
  const [table, of] = ['job_limits', 'tenant_jobs'].map((name) => ({ schema: 'public', name }))
  await forgetLimits(jobTable(db, 'tenant_jobs'), { table, of, columns: [] } as unknown as KeptLimits, 60_000)
  const { rows } = await sql`select job_table, key from job_limits order by job_table, key`.execute(db)
  expect(rows).toEqual([
    { job_table: 'other_jobs', key: { tenant_id: '1' } },
    { job_table: 'tenant_jobs', key: { tenant_id: '2' } },
    { job_table: 'tenant_jobs', key: { tenant_id: '3' } },
  ])
})

test('a rate needs its table, which a migration makes, and says so at the start', async () => {
  await dropJobLimits(db)
  onTestFinished(() => createJobLimits(db))
  const start = (options: object) => createWorker(db, 'tenant_jobs', () => {}, { logger: quiet, ...options }).start()
  await expect(start({ rate: { max: 1, per: '1m' } })).rejects.toThrow(
    'There is no table "job_limits" in this database: let a migration call createJobLimits(db) of kysely-jobs/migrate',
  )
})

test('rates that make no sense, and options that do not go with them, are refused with the reason', () => {
  const create = (options: object) => () => createWorker(db, 'tenant_jobs', () => {}, options)
  expect(create({ rate: 5 })).toThrow(
    "rate: 5 is invalid; give an object, as in { by: 'tenant_id', max: 100, per: '1m' }",
  )
  expect(create({ rate: { max: 5 } })).toThrow("rate.per: is missing; give a duration, as in { max: 100, per: '1m' }")
  expect(create({ rate: { max: 0, per: '1m' } })).toThrow(
    'rate.max: 0 is invalid; give a whole number of starts, at least 1',
  )
  expect(create({ rate: { max: 5, per: 'x' } })).toThrow('rate.per: "x" is not a duration')
  expect(create({ rate: { max: 5, per: 0 } })).toThrow(
    "rate.per: 0 is no time in which jobs could start; give a duration, as in { max: 100, per: '1m' }",
  )
  expect(create({ rate: { max: 1001, per: '1ms' } })).toThrow(
    'rate: 1001 in "1ms" is invalid; give at most 1000 starts a millisecond',
  )
  expect(create({ rate: { max: 5, per: '1m', by: 'createdAt' } })).toThrow(
    "rate.by: 'createdAt' is a column of the queue; a key is of columns of your own",
  )
  expect(create({ limit: { by: ['place', 'created_at'], max: 1 } })).toThrow(
    "limit.by: 'created_at' is a column of the queue",
  )
  expect(create({ limit: { by: 'place', max: 'attempts_count' } })).toThrow(
    "limit.max: 'attempts_count' is a column of the queue; give one of your own",
  )
  expect(create({ rate: { max: 5, per: '1m', burst: 0.5 } })).toThrow('rate.burst: 0.5 is invalid')
  expect(create({ rate: { max: 5, per: '1m', each: 1 } })).toThrow(
    'rate.each: no such option; there are max, per, burst, by',
  )
  expect(create({ rate: { max: 5, per: '1m', by: 'place' }, limit: { by: 'tenant_id', max: 2 } })).toThrow(
    "limit.by and rate.by go by other columns ('tenant_id'; 'place')",
  )
  expect(create({ rate: { max: 5, per: '1m' }, hold: 'transaction' })).toThrow(
    "hold: 'transaction' does not go with limit, rate",
  )
})
