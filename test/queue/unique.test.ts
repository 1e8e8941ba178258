import { type Kysely, sql } from 'kysely'
import { enqueue, JobExistsError } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, settle } from 'kysely-jobs/queue'
import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'
import { createSyncTables, type SyncDatabase, statuses, unique } from './sync-jobs.js'

const { db } = await testDatabase<SyncDatabase>(createSyncTables)
const orders = { shop: 1, resource: 'orders' }

type Table = keyof SyncDatabase

beforeEach(async () => {
  await db.deleteFrom('sync_jobs').execute()
})

/** Claims all that is due, and gives the leases. */
async function claim(table: Table) {
  const jobs = await fetchNextJobs(db, table, { worker, limit: 100 })
  return jobs.map(({ id, attempts_count }) => ({ id, attempt: attempts_count }))
}

async function end(table: Table, kind: 'succeeded' | 'retry' | 'failed' = 'succeeded') {
  const outcomes = (await claim(table)).map((lease) => ({ ...lease, kind, error: 'no', delay: 3_600_000 }))
  await settle(db, table, outcomes, { worker })
}

const row = (table: Table, id: string) =>
  db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirstOrThrow()

describe('ignore', () => {
  test('a job is new where none stands for its values; else the answer has the one that does, as it is', async () => {
    const first = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'a' }, { unique })
    expect(first).toMatchObject({ isNew: true, job: { ...orders, cursor: 'a', status: 'job_status_not_started' } })
    const second = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'b' }, { unique, onConflict: 'ignore' })
    expect(second).toEqual({ job: first.job, isNew: false })
    expect(await row('sync_jobs', first.job.id)).toEqual(first.job)
    const other = await enqueue(db, 'sync_jobs', { shop: 2, resource: 'orders' }, { unique })
    expect(other.isNew).toBe(true)
  })

  test('a job stands while it waits, runs or is tried again, and no longer than that', async () => {
    const first = await enqueue(db, 'sync_jobs', orders, { unique })
    const [lease] = await claim('sync_jobs')
    const running = await enqueue(db, 'sync_jobs', orders, { unique })
    expect(running).toMatchObject({ isNew: false, job: { id: first.job.id, status: 'job_status_running' } })
    await settle(db, 'sync_jobs', [{ ...lease!, kind: 'retry', error: 'no', delay: 0 }], { worker })
    const retried = await enqueue(db, 'sync_jobs', orders, { unique })
    expect(retried).toMatchObject({ isNew: false, job: { id: first.job.id, status: 'job_status_retry' } })
    await end('sync_jobs')
    const next = await enqueue(db, 'sync_jobs', orders, { unique })
    expect(next.isNew).toBe(true)
    expect(next.job.id).not.toBe(first.job.id)
  })
})

describe('replace', () => {
  const replace = { unique, onConflict: 'replace' } as const

  test('a job that waits takes the values that are given, and is due when the new one would be', async () => {
    const first = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'a', size: 7 }, { ...replace, delay: '1h' })
    expect(first.isNew).toBe(true)
    const second = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'b' }, { ...replace, delay: '2h' })
    expect(second).toMatchObject({ isNew: false, job: { id: first.job.id, cursor: 'b', size: 7 } })
    expect(second.job.created_at).toEqual(first.job.created_at)
    expect(second.job.run_at.getTime() - first.job.run_at.getTime()).toBeGreaterThan(3_500_000)
    const at = await enqueue(db, 'sync_jobs', { ...orders, cursor: null, run_at: '2040-01-01T00:00:00Z' }, replace)
    expect(at.job).toMatchObject({ id: first.job.id, cursor: null, run_at: new Date('2040-01-01T00:00:00Z') })
    await enqueue(db, 'sync_jobs', orders, replace)
    expect(await claim('sync_jobs')).toHaveLength(1)
  })

  test('a job that is tried again begins anew with its new values', async () => {
    const { job } = await enqueue(db, 'sync_jobs', orders, replace)
    await end('sync_jobs', 'retry')
    const replaced = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'b' }, replace)
    expect(replaced).toMatchObject({
      isNew: false,
      job: {
        id: job.id,
        status: 'job_status_not_started',
        attempts_count: 0,
        last_error: null,
        locked_at: null,
        cursor: 'b',
      },
    })
  })

  test('a job that runs is left as it is', async () => {
    const { job } = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'a' }, replace)
    await claim('sync_jobs')
    const running = await row('sync_jobs', job.id)
    expect(await enqueue(db, 'sync_jobs', { ...orders, cursor: 'b' }, replace)).toEqual({ isNew: false, job: running })
    expect(await row('sync_jobs', job.id)).toEqual(running)
  })
})

test.each(['replace', 'keepEarliest'] as const)(
  '%s in a transaction that lasts leaves a job that runs unlocked, so that its worker can renew and end it',
  async (onConflict) => {
    const two = { shop: 2, resource: 'orders' }
    await enqueue(db, 'sync_jobs', [orders, two], { unique })
    const leases = await claim('sync_jobs')
    await enqueue(db, 'sync_jobs', { shop: 3, resource: 'orders', cursor: 'a' }, { unique, delay: '1h' })
    await db.transaction().execute(async (trx) => {
      const rows = [orders, { shop: 4, resource: 'orders' }, { shop: 3, resource: 'orders' }, two]
      const answers = await enqueue(trx, 'sync_jobs', rows, { unique, onConflict })
      expect(answers.map(({ isNew }) => isNew)).toEqual([false, true, false, false])
      expect(await enqueue(trx, 'sync_jobs', orders, { unique, onConflict })).toMatchObject({ isNew: false })
      expect(await heartbeat(db, 'sync_jobs', leases, { worker })).toHaveLength(2)
    })
    expect(await claim('sync_jobs')).toHaveLength(2)
  },
)

test('keepEarliest leaves the values, and has the job due at the earlier time', async () => {
  const keep = { unique, onConflict: 'keepEarliest' } as const
  const first = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'a' }, { ...keep, delay: '1h' })
  const later = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'b' }, { ...keep, delay: '2h' })
  expect(later).toMatchObject({ isNew: false, job: { id: first.job.id, cursor: 'a', run_at: first.job.run_at } })
  const earlier = await enqueue(db, 'sync_jobs', orders, { ...keep, delay: '5m' })
  expect(earlier.job.run_at.getTime()).toBeLessThan(first.job.run_at.getTime() - 3_000_000)
  await enqueue(db, 'sync_jobs', orders, keep)
  await claim('sync_jobs')
  expect(await enqueue(db, 'sync_jobs', orders, keep)).toMatchObject({
    isNew: false,
    job: { status: 'job_status_running' },
  })
})

test('error says which job stands, and nothing is enqueued', async () => {
  const { job } = await enqueue(db, 'sync_jobs', orders, { unique, onConflict: 'error' })
  const again = enqueue(db, 'sync_jobs', [{ shop: 9, resource: 'x' }, orders], { unique, onConflict: 'error' })
  await expect(again).rejects.toThrow(JobExistsError)
  await expect(again).rejects.toMatchObject({
    code: 'JOB_EXISTS',
    id: job.id,
    columns: ['shop', 'resource'],
    message: `sync_jobs: job ${job.id} has the same 'shop', 'resource' and has not ended; to let it stand without an error, choose onConflict: 'ignore'`,
  })
  expect(await statuses(db, 'sync_jobs')).toEqual(['not_started'])
  await db.transaction().execute(async (trx) => {
    const inside = enqueue(trx, 'sync_jobs', [{ shop: 9, resource: 'x' }, orders], { unique, onConflict: 'error' })
    await expect(inside).rejects.toThrow(JobExistsError)
  })
  expect(await statuses(db, 'sync_jobs')).toEqual(['not_started'])
})

describe('an array', () => {
  test('is answered in its order, and a job that is in it twice is new once', async () => {
    const known = await enqueue(db, 'sync_jobs', { shop: 5, resource: 'b' }, { unique })
    const rows = [3, 5, 1, 3, 2].map((shop) => ({ shop, resource: 'b', cursor: `${shop}` }))
    const answer = await enqueue(db, 'sync_jobs', rows, { unique })
    expect(answer.map(({ job, isNew }) => [job.shop, isNew])).toEqual([
      [3, true],
      [5, false],
      [1, true],
      [3, false],
      [2, true],
    ])
    expect(answer[1]?.job).toEqual(known.job)
    expect(answer[3]?.job.id).toBe(answer[0]?.job.id)
    expect(await enqueue(db, 'sync_jobs', [], { unique })).toEqual([])
  })

  test.each([
    ['replace', 'third', [1, 2]],
    ['keepEarliest', 'first', [1, 1]],
  ] as const)('that has a job several times is as several calls: %s', async (onConflict, cursor, [size]) => {
    const rows = [
      { ...orders, cursor: 'first', size },
      { ...orders, run_at: '2030-01-01T00:00:00Z' },
      { ...orders, cursor: 'third', run_at: '2031-01-01T00:00:00Z' },
    ]
    const answer = await enqueue(db, 'sync_jobs', rows, { unique, onConflict })
    expect(answer.map(({ isNew }) => isNew)).toEqual([true, false, false])
    const [one] = await db.selectFrom('sync_jobs').selectAll().execute()
    expect(one).toMatchObject({ cursor, size })
    expect(answer.map(({ job }) => job)).toEqual([one, one, one])
  })

  test('keeps what a row does not give, whatever the others give', async () => {
    const two = { shop: 2, resource: 'orders' }
    await enqueue(
      db,
      'sync_jobs',
      [
        { ...orders, size: 7 },
        { ...two, cursor: 'a' },
      ],
      { unique },
    )
    const answer = await enqueue(
      db,
      'sync_jobs',
      [
        { ...orders, cursor: 'b' },
        { ...two, size: 8 },
      ],
      { unique, onConflict: 'replace' },
    )
    expect(answer).toMatchObject([{ job: { size: 7, cursor: 'b' } }, { job: { size: 8, cursor: 'a' } }])
  })

  test('of 2,000 rows, half of them known, goes in whole or not at all', async () => {
    const rows = Array.from({ length: 2000 }, (_, n) => ({ shop: (n * 7919) % 2000, resource: 'r' }))
    await enqueue(db, 'sync_jobs', rows.slice(1000), { unique })
    await expect(
      enqueue(db, 'sync_jobs', [...rows.slice(0, 1000), { ...orders, size: 2 ** 40 }], {
        unique,
        onConflict: 'replace',
      }),
    ).rejects.toMatchObject({ code: '22003' })
    expect(await statuses(db, 'sync_jobs')).toHaveLength(1000)
    const answer = await enqueue(db, 'sync_jobs', rows, { unique })
    expect(answer.map(({ job, isNew }) => [job.shop, isNew])).toEqual(rows.map(({ shop }, n) => [shop, n < 1000]))
  })

  test('may have values that only Postgres knows to be the same', async () => {
    await sql`create collation if not exists loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`.execute(
      db,
    )
    await createJobTable(
      db,
      'loose_jobs',
      (table) => table.addColumn('email', sql`text collate loose`, (it) => it.notNull()).addColumn('n', 'integer'),
      {
        unique: [['email']],
      },
    )
    const loose = db as Kysely<any>
    const rows = [
      { email: 'ADA', n: 1 },
      { email: 'ben', n: 2 },
      { email: 'ada', n: 3 },
    ]
    for (const onConflict of ['ignore', 'replace', 'keepEarliest'] as const) {
      await loose.deleteFrom('loose_jobs').execute()
      const answer = await enqueue(loose, 'loose_jobs', rows, { unique: ['email'], onConflict })
      expect(answer.map(({ isNew }) => isNew)).toEqual([true, true, false])
      expect(answer[0]?.job.id).toBe(answer[2]?.job.id)
      expect(answer[0]?.job.n).toBe(onConflict === 'replace' ? 3 : 1)
    }
    await expect(enqueue(loose, 'loose_jobs', rows, { unique: ['email'], onConflict: 'error' })).rejects.toThrow(
      JobExistsError,
    )
  })
})
