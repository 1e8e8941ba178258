import { sql } from 'kysely'
import { createBatchWorker, createRunner, enqueue, pauseJobs, resumeJobs } from 'kysely-jobs'
import { createJobPauses } from 'kysely-jobs/migrate'
import { notifyWorkers } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from './mail-jobs.js'
import { isFetch, jobsOf, type Options, pausable, program, waiting } from './pausing.js'
import { createTenantTables, type TenantDatabase } from './tenant-jobs.js'

const { db, url } = await testDatabase<TenantDatabase>(createTenantTables)

beforeEach(async () => {
  await createJobPauses(db)
  await sql`truncate tenant_jobs, job_pauses`.execute(db)
})

const attempts = async () => {
  const rows = await db.selectFrom('tenant_jobs').select(['tenant_id', 'attempts_count']).orderBy('tenant_id').execute()
  return rows.map(({ tenant_id, attempts_count }) => [tenant_id, attempts_count])
}

/** A worker that listens, and has found nothing to do. */
async function listening(own = program(url)) {
  const made = await pausable(url, { listen: url, pollInterval: '1m' }, own)
  const idle = next(made.worker, 'idle')
  await made.worker.start()
  await idle
  await expect.poll(() => made.worker.health().listener).toBe('listening')
  return made
}

/** How many statements wait for a lock of a table. */
async function waitingFor(table: string): Promise<number> {
  const { rows } = await sql`select from pg_locks where not granted and relation = ${table}::regclass`.execute(db)
  return rows.length
}

test('what a fetch brings that was sent before its key was paused is released, its attempt too', async () => {
  const { worker, tenants } = await listening()
  const claimed = next(worker, 'claimed')
  await db.transaction().execute(async (trx) => {
    await sql`lock table tenant_jobs in access exclusive mode`.execute(trx)
    await enqueue(trx, 'tenant_jobs', jobsOf(3, 1))
    await notifyWorkers(db, 'tenant_jobs')
    await expect.poll(() => waitingFor('tenant_jobs')).toBe(1)
    const paused = next(worker, 'paused')
    await sql`insert into job_pauses (job_schema, job_table, paused_key) values ('public', 'tenant_jobs', '{"tenant_id": "0"}')`.execute(
      db,
    )
    await sql`notify job_available_tenant_jobs, 'pauses'`.execute(db)
    await paused
  })
  await claimed
  await expect.poll(attempts).toEqual([
    [0, 0],
    [1, 1],
    [2, 1],
  ])
  await expect.poll(tenants).toEqual([1, 2])
})

test('nothing begins while it is being read what is paused', async () => {
  const { worker, begun, statements } = await listening()
  let from = 0
  const paused = next(worker, 'paused')
  await db.transaction().execute(async (trx) => {
    await sql`lock table job_pauses in access exclusive mode`.execute(trx)
    await sql`notify job_available_tenant_jobs, 'pauses'`.execute(db)
    await expect.poll(() => waitingFor('job_pauses')).toBe(1)
    from = statements.length // a look that the start of listening asked for may come before
    await enqueue(db, 'tenant_jobs', jobsOf(2, 1))
    for (let n = 0; n < 50; n++) await notifyWorkers(db, 'tenant_jobs') // the last is heard long after the first
    await pauseJobs(trx, 'tenant_jobs')
  })
  await paused
  expect([begun, statements.slice(from).filter(isFetch)]).toEqual([[], []])
})

test.each<[name: string, options: Options, after: number]>([
  ['by leases', { concurrency: 1 }, 0],
  ['by a transaction', { hold: 'transaction', concurrency: 4 }, 2_000],
])('jobs that were claimed ahead are released by a pause, and done when it ends: %s', async (_, options, after) => {
  const { worker, begun } = await pausable(url, { listen: url, ...options })
  await enqueue(db, 'tenant_jobs', jobsOf(1, 6_000))
  const isAhead = ({ jobs }: { jobs: unknown[] }) => jobs.length > 100 && begun.length >= after
  const ahead = next(worker, 'claimed', isAhead)
  await worker.start()
  await ahead
  worker.pause()
  const before = begun.length
  expect(before).toBeLessThan(6_000)
  await expect.poll(() => waiting(db)).toBe(6_000 - before) // when the fetch that was under way is back
  expect(begun).toHaveLength(before)
  worker.resume()
  await expect.poll(() => begun.length, { timeout: 20_000 }).toBe(6_000)
  expect(new Set(begun.map(({ place }) => place)).size).toBe(6_000)
})

test('an idle worker beside due jobs of a paused key neither claims again and again nor says that its triggers are missing', async () => {
  const warnings: string[] = []
  const logger = { ...quiet, warn: (_: object, text: string) => void warnings.push(text) }
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 1 } })
  await enqueue(
    db,
    'tenant_jobs',
    Array.from({ length: 500 }, (_, place) => ({ tenant_id: 1, place })),
  )
  await sql`update tenant_jobs set run_at = now() - interval '1 minute'`.execute(db)
  const { worker, statements, polls, begun } = await pausable(url, { logger, listen: url })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await expect.poll(() => worker.health().listener).toBe('listening')
  const fetchesOf = async (count: number) => {
    const from = statements.length
    await polls(count)
    return statements.slice(from).filter(isFetch).length
  }
  await expect.poll(() => fetchesOf(25)).toBeLessThan(5) // at the start of listening some more
  expect([begun, warnings.filter((text) => text.includes('triggers'))]).toEqual([[], []])
})

test('notifications of pauses that are not true cost a worker some looks at once, then one a second', async () => {
  const own = program(url)
  const { begun } = await listening(own)
  const from = own.statements.length
  for (let n = 0; n < 300; n++) await sql`notify job_available_tenant_jobs, 'pauses'`.execute(db)
  await enqueue(db, 'tenant_jobs', jobsOf(1, 1))
  await expect.poll(() => begun).toHaveLength(1)
  const reads = own.statements.slice(from).filter((statement) => statement.includes('job_pauses'))
  expect(reads.length).toBeLessThan(40)
})

test('a runner and its batches heed a pause, and tell of it', async () => {
  const own = program(url)
  const tenants: number[] = []
  const handler = (jobs: readonly { tenant_id: number }[]) =>
    void tenants.push(...jobs.map(({ tenant_id }) => tenant_id))
  const options = { size: 10, hold: 'transaction', logger: quiet, pollInterval: '20ms' } as const
  const worker = createBatchWorker(own.db, 'tenant_jobs', handler, options)
  const runner = createRunner(own.db, { workers: [worker], logger: quiet })
  onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
  const told: object[] = []
  runner.on('paused', (paused) => told.push(paused))
  await enqueue(db, 'tenant_jobs', jobsOf(3, 20))
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, reason: 'not paid' })
  const idle = next(worker, 'idle')
  await runner.start()
  await idle
  expect(new Set(tenants)).toEqual(new Set([0, 2]))
  expect(told).toMatchObject([{ table: 'tenant_jobs', by: 'key', where: { tenant_id: '1' }, reason: 'not paid' }])
  expect(runner.health().workers).toMatchObject([{ paused: undefined, pauses: [{ where: { tenant_id: '1' } }] }])
  await resumeJobs(db, 'tenant_jobs', { where: { tenant_id: 1 } })
  await expect.poll(() => tenants).toHaveLength(60)
})

test('the log has a line of what is paused, why, and of its end', async () => {
  const lines: [facts: object, text: string][] = []
  const logger = { ...quiet, info: (facts: object, text: string) => void lines.push([facts, text]) }
  const { worker } = await pausable(url, { logger, listen: url })
  await worker.start()
  const [paused, resumed] = [next(worker, 'paused'), next(worker, 'resumed')]
  await pauseJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, reason: 'not paid' })
  await paused
  await resumeJobs(db, 'tenant_jobs', { where: { tenant_id: 1 } })
  await resumed
  const where = { tenant_id: '1' }
  expect(lines.filter(([, text]) => /paused|resumed/.test(text))).toEqual([
    [{ table: 'tenant_jobs', by: 'key', where, reason: 'not paid' }, 'tenant_jobs: key paused'],
    [{ table: 'tenant_jobs', by: 'key', where }, 'tenant_jobs: key resumed'],
  ])
})
