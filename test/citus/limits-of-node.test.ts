import { type SqlBool, sql } from 'kysely'
import { enqueue, retryJobs } from 'kysely-jobs'
import { createJobArchive, createJobLimits, createKeyIndexes } from 'kysely-jobs/migrate'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { spreadDatabase } from './spread.js'
import { type Handler, notes, type Options, startWorker } from './workers.js'

// What a worker of a table on a node of its own is told by its options, where the server refuses what Citus refuses.

const { db, plain, refused } = await spreadDatabase({}, 'one node')
const ofNode = db.withSchema('node')
await createKeyIndexes(ofNode, 'mail_jobs', ['tenant_id'], { fifo: 'continue' })
await createJobLimits(ofNode)
await createJobArchive(ofNode, 'mail_jobs')

beforeEach(async () => {
  await sql`truncate node.mail_jobs, node.mail_jobs_archive, node.job_limits`.execute(plain)
})
afterEach(() => expect(refused).toEqual([]))

const working = async (handler: Handler, options: Options) => (await startWorker(db, handler, options)).errors

const running = async (isMeant = sql<SqlBool>`true`) => {
  const { length } = await plain
    .selectFrom('mail_jobs')
    .select('id')
    .where('status', '=', 'job_status_running')
    .where(isMeant)
    .execute()
  return length
}

test.each<[name: string, options: Options, ofTenant: number, ofAll: number]>([
  ['of a tenant', { limit: { by: 'tenant_id', max: 2 } }, 2, 6],
  ['of all', { limit: { max: 2 } }, 2, 2],
  ['in line', { fifo: 'tenant_id' }, 1, 3],
  ['of all, in turn', { limit: { max: 2 }, fairBy: 'tenant_id' }, 2, 2],
])('a limit is kept by several workers, and all jobs are done: %s', async (_, options, ofTenant, ofAll) => {
  await enqueue(
    db,
    'mail_jobs',
    [1, 2, 3].flatMap((tenant) => notes(tenant, 8)),
  )
  let [mostOfTenant, most, done] = [0, 0, 0]
  const handler: Handler = async ({ tenant_id }) => {
    mostOfTenant = Math.max(mostOfTenant, await running(sql`tenant_id = ${tenant_id}`))
    most = Math.max(most, await running())
    done++
  }
  const all = { ...options, concurrency: 10 } as Options
  const errors = await Promise.all([working(handler, all), working(handler, all)])
  await expect.poll(() => done, { timeout: 20_000 }).toBe(24)
  expect(mostOfTenant).toBeLessThanOrEqual(ofTenant)
  expect(most).toBeLessThanOrEqual(ofAll)
  expect(errors.flat()).toEqual([])
})

test.each<[name: string, options: Options, starts: number]>([
  ['of a tenant', { rate: { by: 'tenant_id', max: 2, per: '1h' } }, 4],
  ['of all', { rate: { max: 3, per: '1h' } }, 3],
])('a rate is kept by what each claim has used: %s', async (_, options, starts) => {
  await enqueue(
    db,
    'mail_jobs',
    [1, 2].flatMap((tenant) => notes(tenant, 5)),
  )
  let ran = 0
  const handler = async () => void ran++
  const errors = await Promise.all([working(handler, options), working(handler, options)])
  await expect.poll(() => ran, { timeout: 20_000 }).toBe(starts)
  const kept = sql<{ used: number }>`select sum(round(used))::int as used from node.job_limits`
  expect((await kept.execute(plain)).rows).toEqual([{ used: starts }])
  expect(errors.flat()).toEqual([])
})

test('who has many jobs does not delay who has one', async () => {
  await enqueue(db, 'mail_jobs', [...notes(1, 60), ...notes(2, 1)])
  const ran: number[] = []
  const errors = await working(async ({ tenant_id }) => void ran.push(tenant_id), {
    fairBy: 'tenant_id',
    concurrency: 4,
  })
  await expect.poll(() => ran.length, { timeout: 20_000 }).toBe(61)
  expect(ran.indexOf(2)).toBeLessThan(30)
  expect(errors).toEqual([])
})

test('jobs that have ended go to the archive, and come back from it', async () => {
  await enqueue(db, 'mail_jobs', notes(1, 3))
  let ran = 0
  const errors = await working(async () => void ran++, { succeeded: 'archive' })
  const archived = sql<{ n: number }>`select count(*)::int as n from node.mail_jobs_archive`
  await expect.poll(async () => (await archived.execute(plain)).rows[0]?.n, { timeout: 20_000 }).toBe(3)
  expect(await retryJobs(db, 'mail_jobs', { where: (job) => job('note', '=', '1-0') })).toHaveLength(1)
  await expect.poll(() => ran, { timeout: 20_000 }).toBe(4)
  expect(errors).toEqual([])
})

test('jobs are held by the transaction that ends them', async () => {
  await enqueue(db, 'mail_jobs', notes(1, 20))
  let ran = 0
  const errors = await working(async () => void ran++, { hold: 'transaction', concurrency: 5 })
  const left = plain.selectFrom('mail_jobs').select('id').where('status', '!=', 'job_status_succeeded')
  await expect.poll(async () => (await left.execute()).length, { timeout: 20_000 }).toBe(0)
  expect(ran).toBe(20)
  expect(errors).toEqual([])
})
