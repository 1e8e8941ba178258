import { sql } from 'kysely'
import { createWorker, enqueue, limitJobs } from 'kysely-jobs'
import { createJobLimits, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { quiet } from '../worker/mail-jobs.js'
import { spreadDatabase } from './spread.js'
import { type Handler, notes, type Options, startWorker } from './workers.js'

// Limits of a table that is distributed by a column, where the server refuses what Citus refuses.

const { db, plain, refused } = await spreadDatabase({ unique: [] })
await createKeyIndexes(db, 'mail_jobs', ['tenant_id'], { fifo: 'continue' })

beforeEach(async () => {
  await plain.deleteFrom('mail_jobs').execute()
  await sql`drop table if exists job_limits`.execute(plain)
})

const working = (handler: Handler, options?: Options) => startWorker(db, handler, options)

const running = async (tenant: number) => {
  const rows = await plain
    .selectFrom('mail_jobs')
    .select('id')
    .where('tenant_id', '=', tenant)
    .where('status', '=', 'job_status_running')
    .execute()
  return rows.length
}

/** Table of limits, of which each node has a copy. */
async function makeLimits() {
  await createJobLimits(db)
  await sql`select create_reference_table('job_limits')`.execute(db)
}

test('at most so many jobs of a tenant run at the same time, over all workers, and all are done', async () => {
  await enqueue(
    db,
    'mail_jobs',
    [1, 2, 3].flatMap((tenant) => notes(tenant, 12)),
  )
  let most = 0
  let done = 0
  const handler = async ({ tenant_id }: { tenant_id: number }) => {
    most = Math.max(most, await running(tenant_id))
    done++
  }
  const options = { limit: { by: 'tenant_id', max: 2 }, concurrency: 10 } as const
  const workers = await Promise.all([working(handler, options), working(handler, options)])
  await expect.poll(() => done, { timeout: 20_000 }).toBe(36)
  expect(most).toBeLessThanOrEqual(2)
  expect(workers.flatMap(({ errors }) => errors)).toEqual([])
  expect(refused).toEqual([])
})

test('jobs of a tenant run one after the other, in the order in which they were enqueued', async () => {
  const jobs = [1, 2].flatMap((tenant) => notes(tenant, 6))
  for (const job of jobs) await enqueue(db, 'mail_jobs', job)
  const ran: string[] = []
  const { errors } = await working(async ({ note }) => void ran.push(note), { fifo: 'tenant_id', concurrency: 10 })
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(12)
  for (const tenant of [1, 2])
    expect(ran.filter((note) => note.startsWith(`${tenant}-`))).toEqual(notes(tenant, 6).map(({ note }) => note))
  expect(errors).toEqual([])
})

test('within a tenant jobs are taken in turn by another column', async () => {
  const many = Array.from({ length: 60 }, () => ({ tenant_id: 1, note: 'many', priority: 5 }))
  await enqueue(db, 'mail_jobs', [...many, { tenant_id: 1, note: 'few' }])
  const ran: string[] = []
  const { errors } = await working(async ({ note }) => void ran.push(note), { fairBy: 'note', concurrency: 4 })
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(61)
  expect(ran.indexOf('few')).toBeLessThan(30)
  expect(errors).toEqual([])
})

test('a worker that is stopped while it looks for jobs of many tenants looks no further', async () => {
  const ofEach = Array.from({ length: 20 }, (_, tenant_id) => ({ tenant_id, note: 'same' }))
  await enqueue(db, 'mail_jobs', ofEach)
  const all = sql`update mail_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), locked_at = now()`
  await all.execute(plain) // of each tenant as many run as may
  await enqueue(db, 'mail_jobs', ofEach)
  const { worker } = await working(async () => {}, { limit: { by: ['tenant_id', 'note'], max: 1 } })
  const stopped = await plain.transaction().execute(async (trx) => {
    await sql`lock table mail_jobs in exclusive mode`.execute(trx)
    const waiting = sql<{
      n: number
    }>`select count(*)::int as n from pg_locks where not granted and relation = 'mail_jobs'::regclass`
    await expect.poll(async () => (await waiting.execute(plain)).rows[0]?.n).toBeGreaterThan(0)
    return { stop: worker.stop({ deadline: '1h' }) }
  })
  await stopped.stop
})

test('a rate of a tenant is kept by what each claim has used', async () => {
  await makeLimits()
  await enqueue(
    db,
    'mail_jobs',
    [1, 2].flatMap((tenant) => notes(tenant, 5)),
  )
  const ran: number[] = []
  const rate = { by: 'tenant_id', max: 2, per: '1h' } as const
  const handler = async ({ tenant_id }: { tenant_id: number }) => void ran.push(tenant_id)
  const workers = await Promise.all([working(handler, { rate }), working(handler, { rate })])
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(4)
  await Promise.all(workers.map(({ worker }) => worker.stop()))
  expect(ran.toSorted()).toEqual([1, 1, 2, 2])
  const { rows } =
    await sql`select key ->> 'tenant_id' as tenant, round(used) as used from job_limits order by 1`.execute(plain)
  expect(rows).toMatchObject([
    { tenant: '1', used: 2 },
    { tenant: '2', used: 2 },
  ])
  expect(workers.flatMap(({ errors }) => errors)).toEqual([])
})

test('a tenant that has starts of its rate left does not wait for the next one', async () => {
  await makeLimits()
  const ran: string[] = []
  const rate = { by: 'tenant_id', max: 2, per: '1h' } as const
  const { errors } = await working(async ({ note }) => void ran.push(note), { rate })
  await enqueue(db, 'mail_jobs', { tenant_id: 1, note: 'first' })
  await expect.poll(() => ran, { timeout: 20_000 }).toEqual(['first'])
  await enqueue(db, 'mail_jobs', { tenant_id: 1, note: 'second' })
  await expect.poll(() => ran, { timeout: 20_000 }).toEqual(['first', 'second'])
  expect(errors).toEqual([])
})

test('a limit of one tenant is changed at run time', async () => {
  await makeLimits()
  await limitJobs(db, 'mail_jobs', { where: { tenant_id: 1 }, max: 0 })
  await enqueue(
    db,
    'mail_jobs',
    [1, 2].flatMap((tenant) => notes(tenant, 3)),
  )
  const ran: number[] = []
  const handler = async ({ tenant_id }: { tenant_id: number }) => void ran.push(tenant_id)
  await working(handler, { limit: { by: 'tenant_id', max: 5 } })
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(3)
  expect(new Set(ran)).toEqual(new Set([2]))
  await limitJobs(db, 'mail_jobs', { where: { tenant_id: 1 }, max: undefined })
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(6)
})

test('a table of limits that is not on the nodes is refused at start-up, with the remedy', async () => {
  await createJobLimits(db)
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, limit: { by: 'tenant_id', max: 2 } })
  await expect(worker.start()).rejects.toThrow(
    `"public"."job_limits" is not on the node that has "public"."mail_jobs" (Citus 13.2-1), where its claims read it: let a migration say: select create_reference_table('"public"."job_limits"')`,
  )
})

test('a table of limits that is copied to each node serves no table that is local', async () => {
  await makeLimits()
  await createJobTable(db, 'queued_jobs', (table) =>
    table.addColumn('tenant_id', 'integer', (column) => column.notNull()),
  )
  onTestFinished(() => sql`drop table queued_jobs`.execute(plain).then(() => {}))
  const worker = createWorker(db, 'queued_jobs', async () => {}, { logger: quiet, limit: { by: 'tenant_id', max: 2 } })
  await expect(worker.start()).rejects.toThrow(
    `"public"."job_limits" is not local to the server that is asked, as "public"."queued_jobs" is (Citus 13.2-1), so that no statement reads both: let a migration call createJobLimits(db.withSchema('another schema')), and give workers such a handle`,
  )
})

test('a table of limits that is made while a worker runs is found some minutes later', async () => {
  await enqueue(db, 'mail_jobs', notes(1, 4))
  let begun = 0
  const end = Promise.withResolvers<void>()
  const handler = async () => {
    begun++
    await end.promise
  }
  await working(handler, { limit: { by: 'tenant_id', max: 1 }, concurrency: 10 })
  await expect.poll(() => begun, { timeout: 20_000 }).toBe(1)
  await makeLimits()
  await limitJobs(db, 'mail_jobs', { where: { tenant_id: 1 }, max: 3 })
  const clock = performance.now.bind(performance)
  const later = vi.spyOn(performance, 'now').mockImplementation(() => clock() + 11 * 60_000)
  onTestFinished(() => later.mockRestore())
  await expect.poll(() => begun, { timeout: 20_000 }).toBe(3)
  end.resolve()
})

test('what is kept of rates that are not used any more is deleted', async () => {
  await makeLimits()
  await sql`insert into job_limits (job_schema, job_table, key, kind, used, used_at)
    values ('public', 'mail_jobs', '{"tenant_id": "9"}', 'rate', 1, now() - interval '1 day')`.execute(plain)
  await working(async () => {}, { rate: { by: 'tenant_id', max: 5, per: '1s' } })
  const kept = sql<{ n: number }>`select count(*)::int as n from job_limits`
  await expect.poll(async () => (await kept.execute(plain)).rows[0]?.n, { timeout: 20_000 }).toBe(0)
})

test('a key that Postgres can’t put in order is refused at start-up', async () => {
  await sql`alter table mail_jobs add column shape json not null default '{}'`.execute(plain)
  onTestFinished(() => sql`alter table mail_jobs drop column shape`.execute(plain).then(() => {}))
  const options = { logger: quiet, fifo: ['tenant_id', 'shape'] } as unknown as Options // as the types have no such column
  const worker = createWorker(db, 'mail_jobs', async () => {}, options)
  await expect(worker.start()).rejects.toThrow('Postgres refuses the key: operator does not exist: json')
})

test.each<[name: string, options: Options, given: string]>([
  ['a limit of all jobs', { limit: { max: 2 } }, 'over all jobs'],
  ['a rate of all jobs', { rate: { max: 2, per: '1s' } }, 'over all jobs'],
  ['a limit by another column', { limit: { by: 'note', max: 2 } }, "by 'note'"],
  ['a line by another column', { fifo: 'note' }, "by 'note'"],
])('what could be counted on no single node is refused at start-up, with the remedy: %s', async (_, options, given) => {
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, ...options })
  await expect(worker.start()).rejects.toThrow(
    `limit, rate, fifo: mail_jobs is distributed by 'tenant_id' (Citus 13.2-1), so that jobs can be counted only by keys that have 'tenant_id', and here they are ${given}. Add the column to the key, leave the option out`,
  )
})
