import { fork } from 'node:child_process'
import { once } from 'node:events'
import { sql } from 'kysely'
import { countJobs, enqueue, listPauses, pauseJobs, resumeJobs } from 'kysely-jobs'
import { createJobPauses, dropJobPauses } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next } from './mail-jobs.js'
import { isFetch, jobsOf, type Options, pausable, program, waiting } from './pausing.js'
import { createTenantTables, type TenantDatabase } from './tenant-jobs.js'

const { db, url } = await testDatabase<TenantDatabase>(createTenantTables)

beforeEach(async () => {
  await createJobPauses(db)
  await sql`truncate tenant_jobs, job_pauses, spans`.execute(db)
})

const wakings: [name: string, options: Options][] = [
  ['listens', { listen: url, pollInterval: '1m' }],
  ['only polls', { pollInterval: '1m' }],
  ['is deaf', { listen: { connectionString: url, port: 1 }, pollInterval: '1m' }],
]

test.each(wakings)(
  'nothing begins once its table is paused, and it wakes when it is resumed: a worker that %s',
  async (_, options) => {
    const { worker, begun, told } = await pausable(url, options)
    await enqueue(db, 'tenant_jobs', jobsOf(3, 2))
    const idle = next(worker, 'idle')
    await worker.start()
    await idle
    const paused = next(worker, 'paused')
    await pauseJobs(db, 'tenant_jobs', { reason: 'the mail server is away' })
    await paused
    await enqueue(db, 'tenant_jobs', jobsOf(2, 5))
    expect(worker.health()).toMatchObject({ paused: 'table', pauses: [{ reason: 'the mail server is away' }] })
    expect(begun).toHaveLength(6)
    expect(await resumeJobs(db, 'tenant_jobs')).toBe(true)
    await expect.poll(() => begun, { timeout: 5_000 }).toHaveLength(16)
    expect(worker.health()).toMatchObject({ paused: undefined, pauses: [] })
    expect(told).toEqual([{ paused: { by: 'table', reason: 'the mail server is away' } }, { resumed: { by: 'table' } }])
  },
)

test('processes in the middle of a drain, told or polling, begin nothing more, and what runs ends normally', async () => {
  await enqueue(db, 'tenant_jobs', jobsOf(10, 600))
  const options = [{ listen: url }, {}, { limit: { by: 'tenant_id', max: 2 } }, { concurrency: 1 }]
  const children = options.map((each) => {
    const file = new URL('./keyed-process.ts', import.meta.url)
    return fork(file, [url, JSON.stringify({ lease: '30s', ...each })], {
      execArgv: ['--conditions=development'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  })
  onTestFinished(() => void children.map((child) => child.kill('SIGKILL')))
  const areTold = children.map((child) => {
    return new Promise((resolve) => child.on('message', (message) => message === 'paused' && resolve(undefined)))
  })
  await expect.poll(() => waiting(db), { timeout: 60_000 }).toBeLessThan(5_900)
  await pauseJobs(db, 'tenant_jobs')
  await Promise.all(areTold)
  await expect.poll(() => running()).toBe(0)
  const left = await waiting(db)
  expect(left).toBeGreaterThan(0)
  await enqueue(db, 'tenant_jobs', jobsOf(10, 10))
  // A claim that was on its way when they were told may come after: its jobs are released, and none has begun.
  await expect.poll(async () => [await waiting(db), await running()]).toEqual([(left ?? 0) + 100, 0])
  expect(await countJobs(db, 'tenant_jobs')).toMatchObject({ paused: true, statuses: { job_status_retry: 0 } })
  await resumeJobs(db, 'tenant_jobs')
  await expect.poll(() => waiting(db), { timeout: 60_000 }).toBe(0)
  const ended = children.map((child) => once(child, 'exit'))
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(ended)
  const { rows } = await sql<{ attempts: number }>`select max(attempts_count) as attempts from tenant_jobs`.execute(db)
  expect(rows).toEqual([{ attempts: 1 }])
})

const running = async () => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from tenant_jobs where status = 'job_status_running'`.execute(db)
  return rows[0]?.n
}

const claims: [name: string, options: Options][] = [
  ['takes jobs as they come', {}],
  ['holds them by transactions', { hold: 'transaction' }],
  ['has a condition', { where: (eb) => eb('place', '<', 100) }],
  ['has a limit of that key', { limit: { by: 'tenant_id', max: 2 } }],
  ['has a limit of another key', { limit: { by: 'place', max: 2 } }],
  ['has a limit of all', { limit: { max: 2 } }],
  ['goes line by line', { fifo: 'tenant_id' }],
  ['goes from one to the other', { fairBy: 'tenant_id' }],
]

test.each(claims)('of a paused key nothing begins, and the rest is done, where a worker %s', async (_, options) => {
  await enqueue(db, 'tenant_jobs', jobsOf(4, 50))
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 2 } })
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 1, place: 7 } })
  const { worker, begun, tenants, errors, polls } = await pausable(url, options)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(begun).toHaveLength(options.fifo ? 107 : 149) // of a line the paused job holds those behind it
  expect(tenants()).toEqual([0, 1, 3])
  await enqueue(db, 'tenant_jobs', [
    { tenant_id: 2, place: 50 },
    { tenant_id: 3, place: 50 },
  ])
  await expect.poll(() => begun.some(({ place }) => place === 50)).toBe(true)
  await polls(2)
  expect(await waiting(db, 2)).toBe(51)
  expect(await resumeJobs(db, 'tenant_jobs', { where: { tenant_id: 2 } })).toBe(true)
  await expect.poll(() => waiting(db, 2), { timeout: 5_000 }).toBe(0)
  expect(await resumeJobs(db, 'tenant_jobs', { where: { place: 7, tenant_id: 1 } })).toBe(true)
  await expect.poll(() => waiting(db), { timeout: 5_000 }).toBe(0)
  expect(errors).toEqual([])
})

test('a pause with a time ends by itself, and the jobs begin', async () => {
  const { worker, begun, told } = await pausable(url, { pollInterval: '1m', listen: url })
  await pauseJobs(db, 'tenant_jobs', { until: '3s' })
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 0 }, until: new Date(Date.now() + 86_400_000) })
  await enqueue(db, 'tenant_jobs', jobsOf(2, 1))
  await worker.start()
  expect(begun).toEqual([])
  await expect.poll(() => begun, { timeout: 10_000 }).toEqual([{ tenant_id: 1, place: 0 }])
  expect(told.at(-1)).toEqual({ resumed: { by: 'table' } })
  expect(await listPauses(db, 'tenant_jobs')).toMatchObject([{ where: { tenant_id: '0' } }])
})

test('a worker that starts while its table is paused begins nothing, and is not idle', async () => {
  await pauseJobs(db, 'tenant_jobs')
  await enqueue(db, 'tenant_jobs', jobsOf(2, 1))
  const { worker, begun, polls, told, statements } = await pausable(url)
  let isIdle = false
  worker.on('idle', () => {
    isIdle = true
  })
  await worker.start()
  await polls(3)
  expect([begun, isIdle, told]).toEqual([[], false, [{ paused: { by: 'table' } }]])
  expect(statements.filter(isFetch)).toEqual([])
  await worker.stop()
  expect(await waiting(db)).toBe(2)
})

test('a worker knows what is paused when it has started', async () => {
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, reason: 'not paid' })
  const { worker } = await pausable(url, { pollInterval: '1m' })
  await worker.start()
  expect(worker.health().pauses).toMatchObject([{ where: { tenant_id: '1' }, reason: 'not paid' }])
})

test('a job that ends while its worker is paused does not make it idle', async () => {
  const [begun, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const handler = () => {
    begun.resolve()
    return over.promise
  }
  const { worker, polls } = await pausable(url, {}, program(url), handler)
  let isIdle = false
  worker.on('idle', () => {
    isIdle = true
  })
  await enqueue(db, 'tenant_jobs', jobsOf(1, 1))
  await worker.start()
  await begun.promise
  await polls(3) // by then nothing more was found
  const succeeded = next(worker, 'succeeded')
  worker.pause()
  over.resolve()
  await succeeded
  await polls(2)
  expect(isIdle).toBe(false)
  const idle = next(worker, 'idle')
  worker.resume()
  await idle
})

test('a table of pauses that is made while workers run is found, and one that is dropped pauses nothing', async () => {
  await dropJobPauses(db)
  const workers = await Promise.all([pausable(url), pausable(url, { listen: url, pollInterval: '1m' })])
  for (const { worker } of workers) await worker.start()
  await expect.poll(() => workers[1]?.worker.health().listener).toBe('listening')
  await createJobPauses(db)
  const paused = workers.map(({ worker }) => next(worker, 'paused'))
  await pauseJobs(db, 'tenant_jobs')
  await Promise.all(paused)
  await enqueue(db, 'tenant_jobs', jobsOf(1, 1))
  const [resumed] = workers.map(({ worker }) => next(worker, 'resumed'))
  await dropJobPauses(db)
  await resumed
  await expect.poll(() => workers[0]?.begun).toHaveLength(1)
  expect(workers.flatMap(({ errors }) => errors.map(String))).toEqual([])
})

test('a pause in a transaction that is rolled back pauses nothing, and one that commits does by then', async () => {
  const { worker, begun, told } = await pausable(url, { listen: url })
  await worker.start()
  const undone = db.transaction().execute(async (trx) => {
    await pauseJobs(trx, 'tenant_jobs')
    throw new Error('not so')
  })
  await expect(undone).rejects.toThrow('not so')
  const paused = next(worker, 'paused')
  await db.transaction().execute(async (trx) => {
    await pauseJobs(trx, 'tenant_jobs', { where: { tenant_id: 1 } })
    await enqueue(trx, 'tenant_jobs', jobsOf(2, 1))
    expect(told).toEqual([])
  })
  await paused
  await expect.poll(() => begun).toEqual([{ tenant_id: 0, place: 0 }])
  expect(told).toEqual([{ paused: { by: 'key', where: { tenant_id: '1' } } }])
})

test('while its table is paused, what dead workers left is rescued', async () => {
  await pauseJobs(db, 'tenant_jobs')
  await enqueue(db, 'tenant_jobs', jobsOf(1, 1))
  await sql`update tenant_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), attempts_count = 1,
    locked_at = now() - interval '1 hour'`.execute(db)
  const { worker, begun, polls } = await pausable(url, { lease: '1s' })
  const rescued = next(worker, 'rescued')
  await worker.start()
  await rescued
  await polls(2)
  expect([begun, await running()]).toEqual([[], 0])
})

test('a worker that is paused alone begins nothing, releases what has not begun, and lets what runs end', async () => {
  const { worker, told, polls, begun } = await pausable(url, { concurrency: 1 })
  worker.pause()
  worker.pause()
  await worker.start()
  await enqueue(db, 'tenant_jobs', jobsOf(1, 30))
  await polls(2)
  expect([await waiting(db), worker.health()]).toMatchObject([30, { paused: 'worker', alive: true }])
  const first = next(worker, 'succeeded')
  worker.resume()
  worker.resume()
  await first
  worker.pause()
  const before = begun.length
  await expect.poll(() => waiting(db)).toBe(30 - before)
  await polls(2)
  expect(begun).toHaveLength(before)
  const other = await pausable(url)
  await other.worker.start()
  await expect.poll(() => waiting(db)).toBe(0)
  const by = { by: 'worker' }
  expect(told).toEqual([{ paused: by }, { resumed: by }, { paused: by }])
  expect(await worker.stop()).toEqual({ left: 0 })
  worker.resume()
  expect(worker.health().paused).toBeUndefined()
})
