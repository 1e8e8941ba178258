import { Kysely, PostgresDialect, sql } from 'kysely'
import {
  type ClaimOptions,
  createWorker,
  enqueue,
  guardPool,
  JobKeyError,
  limitJobs,
  listLimits,
  type WorkerOptions,
} from 'kysely-jobs'
import { createJobLimits, dropJobLimits } from 'kysely-jobs/migrate'
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createTenantTables, type TenantDatabase } from './tenant-jobs.js'

const { db, url } = await testDatabase<TenantDatabase>(createTenantTables)

const guarded = new Kysely<TenantDatabase>({
  dialect: new PostgresDialect({ pool: guardPool(quietPool({ connectionString: url, max: 10 })) }),
})
afterAll(() => guarded.destroy().catch(() => {}))

beforeEach(async () => {
  await sql`truncate tenant_jobs, job_limits`.execute(db)
})

type Options = WorkerOptions<any> & ClaimOptions<TenantDatabase, 'tenant_jobs'>

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A worker whose handlers go on until they are let go, one by one. */
async function working(options: Options) {
  const running: { tenant: number; place: number; end: () => void }[] = []
  const handler = ({ tenant_id, place }: { tenant_id: number; place: number }) =>
    new Promise<void>((resolve) => void running.push({ tenant: tenant_id, place, end: resolve }))
  const worker = createWorker(guarded, 'tenant_jobs', handler, {
    logger: quiet,
    pollInterval: '1m',
    listen: url,
    ...options,
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const listening = new Promise<void>((resolve) => {
    worker.on('listener', ({ state }) => state === 'listening' && resolve())
  })
  await worker.start()
  await listening
  const end = (tenant: number) => {
    const place = running.findIndex((each) => each.tenant === tenant)
    for (const { end } of running.splice(place, 1)) end()
  }
  const ofTenants = (...tenants: number[]) => tenants.map((id) => running.filter(({ tenant }) => tenant === id).length)
  return { running, end, ofTenants }
}

const jobs = (tenant_id: number, ...most: number[]) =>
  most.map((most, place) => ({ tenant_id, place, most, run_at: new Date(Date.now() - 60_000 + place) }))

test('no more jobs of a key run than the column of any of them says, and they begin in their order', async () => {
  await enqueue(db, 'tenant_jobs', [...jobs(1, 3, 3, 3, 3), ...jobs(2, 3, 1, 3, 3), ...jobs(3, 1, 3)])
  const { ofTenants, end, running } = await working({ limit: { by: 'tenant_id', max: 'most' } })
  await expect.poll(() => ofTenants(1, 2, 3)).toEqual([3, 1, 1])
  end(2)
  await expect.poll(() => running.find(({ tenant }) => tenant === 2)?.place).toBe(1)
  end(2)
  await expect.poll(() => ofTenants(1, 2, 3)).toEqual([3, 2, 1])
  end(1)
  end(3)
  await expect.poll(() => ofTenants(1, 2, 3)).toEqual([3, 2, 1])
})

test('a limit of one key is changed at run time, up, down, to none, and back', async () => {
  await enqueue(db, 'tenant_jobs', [...jobs(1, 1, 1, 1, 1, 1, 1), ...jobs(2, 1, 1, 1, 1)])
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 0 })
  const { ofTenants, end } = await working({ limit: { by: 'tenant_id', max: 2 } })
  await expect.poll(() => ofTenants(1, 2)).toEqual([0, 2])
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 3 })
  await expect.poll(() => ofTenants(1, 2)).toEqual([3, 2])
  expect(await listLimits(db, 'tenant_jobs')).toEqual([{ where: { tenant_id: '1' }, max: 3 }])
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 1 })
  end(1)
  end(1)
  end(2)
  await expect.poll(() => ofTenants(1, 2)).toEqual([1, 2])
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: undefined })
  await expect.poll(() => ofTenants(1, 2)).toEqual([2, 2])
  expect(await listLimits(db, 'tenant_jobs')).toEqual([])
})

test('a limit of all is changed at run time', async () => {
  await enqueue(db, 'tenant_jobs', jobs(1, 1, 1, 1, 1, 1, 1))
  const { ofTenants } = await working({ limit: { max: 2 } })
  await expect.poll(() => ofTenants(1)).toEqual([2])
  await limitJobs(db, 'tenant_jobs', { max: 5 })
  await expect.poll(() => ofTenants(1)).toEqual([5])
})

test('a limit that can not be is refused, with its value', async () => {
  const limit = (options: object) => limitJobs(db, 'tenant_jobs', options as never)
  await expect(limit({ where: { tenant_id: 1 }, max: -1 })).rejects.toThrow(
    'limitJobs: max -1 is invalid; give a whole number of jobs',
  )
  await expect(limit({ where: { tenant_id: 'x' }, max: 1 })).rejects.toThrow(JobKeyError)
  await expect(limit({ where: { tenant: 1 }, max: 1 })).rejects.toThrow("where: tenant_jobs has no column 'tenant'")
  await expect(limit({ where: { tenant_id: null }, max: 1 })).rejects.toThrow(
    'where.tenant_id: null is invalid; give a text',
  )
  const create = (options: object) => createWorker(db, 'tenant_jobs', () => {}, { logger: quiet, ...options })
  expect(() => create({ limit: { max: 'most' } })).toThrow(
    "limit.max: a column ('most') says how many jobs of its key may run; give limit.by with it",
  )
  await expect(create({ limit: { by: 'tenant_id', max: 'no' } }).start()).rejects.toThrow(
    "tenant_jobs has no column 'no'",
  )
  await sql`alter table tenant_jobs add column note text not null default ''`.execute(db)
  onTestFinished(() => sql`alter table tenant_jobs drop column note`.execute(db).then(() => {}))
  await expect(create({ limit: { by: 'tenant_id', max: 'note' } }).start()).rejects.toThrow(
    "limit.max: 'note' of tenant_jobs is of type text; give an integer column",
  )
})

/** What workers of these options warn of. */
async function warnings(...options: Options[]) {
  const told: string[] = []
  const logger = { ...quiet, warn: (_: object, text: string) => void told.push(text) }
  for (const each of options) {
    const worker = createWorker(guarded, 'tenant_jobs', () => {}, { ...each, logger })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const rested = new Promise<void>((resolve) => void worker.on('idle', () => resolve()))
    await worker.start()
    await rested
  }
  return told.filter((text) => text.includes('limitJobs'))
}

test('a worker that does not heed the limits of its table says so, and those that do are silent', async () => {
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 3 })
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 2 }, max: 3 })
  expect(await warnings({ limit: { by: 'tenant_id', max: 2 } })).toEqual([])
  await limitJobs(db, 'tenant_jobs', { max: 9 })
  const remedy = 'give it a limit by these columns, or set them anew by its own'
  const set = 'tenant_jobs: limitJobs has set limits'
  expect(
    await warnings({ limit: { max: 5 } }, { limit: { by: 'place', max: 2 } }, { fairBy: 'tenant_id' }, {}),
  ).toEqual([
    `${set} by 'tenant_id', which this worker does not heed, as its own limit is of the whole table: ${remedy}`,
    `${set} by 'tenant_id' and of the whole table, which this worker does not heed, as its own limit is by 'place': ${remedy}`,
    `${set} by 'tenant_id' and of the whole table, which this worker does not heed, as it has no limit of a number: ${remedy}`,
    `${set} by 'tenant_id' and of the whole table, which this worker does not heed, as it has no limit of a number: ${remedy}`,
  ])
})

test('a worker that started before the table of limits was made finds it some minutes later', async () => {
  await dropJobLimits(db)
  const { ofTenants, end } = await working({ limit: { by: 'tenant_id', max: 1 } })
  await enqueue(db, 'tenant_jobs', jobs(1, 1, 1, 1, 1))
  await expect.poll(() => ofTenants(1)).toEqual([1])
  await createJobLimits(db)
  await limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 3 })
  const clock = performance.now.bind(performance)
  const later = vi.spyOn(performance, 'now').mockImplementation(() => clock() + 11 * 60_000)
  onTestFinished(() => later.mockRestore())
  end(1)
  await expect.poll(() => ofTenants(1)).toEqual([3])
})
