import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { fetchNextJobs, settle } from 'kysely-jobs/queue'
import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'
import { createSyncTables, type SyncDatabase, statuses, unique } from './sync-jobs.js'

const { db } = await testDatabase<SyncDatabase>(createSyncTables, { pool: { max: 20 } })
const orders = { shop: 1, resource: 'orders' }
const sixteen = Array.from({ length: 16 }, (_, n) => n)

beforeEach(async () => {
  for (const table of ['sync_jobs', 'queued_jobs', 'hourly_jobs'] as const) await db.deleteFrom(table).execute()
})

/** Whether some connection waits for a lock. */
async function waits(): Promise<boolean> {
  const waiting = sql<{ waits: boolean }>`
    select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`
  return (await waiting.execute(db)).rows[0]?.waits ?? false
}

/** Ends whatever is due, as a worker does, until it is told to stop. @returns how many it has ended */
function ending(table: 'sync_jobs' | 'queued_jobs' | 'hourly_jobs') {
  let [stopped, ended] = [false, 0]
  const loop = async () => {
    while (!stopped) {
      const jobs = await fetchNextJobs(db, table, { worker, limit: 10 })
      let left = jobs.map(({ id, attempts_count }) => ({ id, attempt: attempts_count, kind: 'succeeded' as const }))
      while (left.length > 0) {
        const written = new Set<unknown>(await settle(db, table, left, { worker, skipLocked: true }))
        left = left.filter((outcome) => !written.has(outcome))
        ended += written.size
      }
    }
  }
  const loops = [loop(), loop()]
  return async () => {
    stopped = true
    await Promise.all(loops)
    return ended
  }
}

describe.each([
  ['sync_jobs', { unique }],
  ['sync_jobs', { unique, onConflict: 'replace' }],
  ['sync_jobs', { unique, onConflict: 'keepEarliest' }],
  ['queued_jobs', { unique, whileRunning: 'queue' }],
  ['queued_jobs', { unique, whileRunning: 'queue', onConflict: 'replace' }],
] as const)('%s, %j', (table, options) => {
  test('of sixteen at once one is new, and all are told the same job', async () => {
    for (let round = 0; round < 20; round++) {
      const values = { shop: round, resource: 'orders' }
      const answers = await Promise.all(sixteen.map(() => enqueue(db, table, values, options)))
      expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1)
      expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    }
  })

  test('while workers end jobs, each new one is a row, and no answer is missing', async () => {
    const stop = ending(table)
    const calls = sixteen.map(async () => {
      let news = 0
      for (let n = 0; n < 40; n++) if ((await enqueue(db, table, orders, options)).isNew) news += 1
      return news
    })
    const news = (await Promise.all(calls)).reduce((sum, each) => sum + each)
    await stop()
    expect(await statuses(db, table)).toHaveLength(news)
    expect(news).toBeGreaterThan(1)
  })

  test('arrays of the same jobs in opposite orders wait for each other, and not for ever', async () => {
    const rows = Array.from({ length: 60 }, (_, shop) => ({ shop, resource: 'r' }))
    for (let round = 0; round < 5; round++) {
      const both = sixteen.slice(0, 6).map((n) => enqueue(db, table, n % 2 ? rows : rows.toReversed(), options))
      const answers = (await Promise.all(both)).flat()
      expect(answers.filter(({ isNew }) => isNew)).toHaveLength(rows.length)
      expect(answers.map(({ job }) => job.shop).slice(0, 60)).toEqual(rows.map(({ shop }) => 59 - shop))
      await db.deleteFrom(table).execute()
    }
  })
})

describe.each([
  ['sync_jobs', { unique }],
  ['sync_jobs', { unique, onConflict: 'replace' }],
  ['sync_jobs', { unique, onConflict: 'keepEarliest' }],
  ['queued_jobs', { unique, whileRunning: 'queue' }],
  ['queued_jobs', { unique, whileRunning: 'queue', onConflict: 'replace' }],
  ['hourly_jobs', { unique, within: 20 }],
] as const)('%s, %j', (table, options) => {
  test('arrays of jobs that end meanwhile, some of them twice, never wait in a circle', async () => {
    const stop = ending(table)
    const calls = sixteen.slice(0, 8).map(async (n) => {
      for (let call = 0; call < 12; call++) {
        const rows = sixteen.map((place) => ({ shop: (place * (2 * n + 1) + call) % 13, resource: 'r' }))
        const enqueuing = db
          .transaction()
          .execute((trx): Promise<unknown> => enqueue(trx, table, rows, options as object))
        const answers = (await enqueuing) as { readonly job: { readonly shop: number } }[] // of types that depend on the options
        expect(answers.map(({ job }) => job.shop)).toEqual(rows.map(({ shop }) => shop))
      }
    })
    await Promise.all(calls).finally(stop)
  })
})

test('an array that waits in a circle with a transaction that locks in another order is tried again', async () => {
  const [first, second] = [1, 2].map((shop) => ({ shop, resource: 'r' }))
  await enqueue(db, 'sync_jobs', [first!, second!], { unique })
  let replaced: Promise<{ readonly isNew: boolean }[]> | undefined
  await db.transaction().execute(async (trx) => {
    await sql`set local deadlock_timeout = '1min'`.execute(trx) // the other finds the circle
    const lock = (shop: number) =>
      trx.selectFrom('sync_jobs').select('id').where('shop', '=', shop).forUpdate().execute()
    await lock(2)
    const replacing = enqueue(db, 'sync_jobs', [second!, first!], { unique, onConflict: 'replace' })
    await expect.poll(waits).toBe(true)
    await lock(1)
    replaced = replacing
  })
  expect((await replaced)?.map(({ isNew }) => isNew)).toEqual([false, false])
})

test('a storm of debounced calls leaves one job, due after the last, with the values of one of them', async () => {
  const delayed = { unique, onConflict: 'replace', delay: '1h' } as const
  const { job } = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'first' }, delayed)
  await Promise.all(sixteen.map((n) => enqueue(db, 'sync_jobs', { ...orders, cursor: `${n}` }, delayed)))
  const last = await enqueue(db, 'sync_jobs', { ...orders, cursor: 'last' }, delayed)
  const [only, ...others] = await db.selectFrom('sync_jobs').selectAll().execute()
  expect(others).toEqual([])
  expect(only).toEqual(last.job)
  expect(only).toMatchObject({ id: job.id, cursor: 'last' })
  expect(only?.run_at.getTime()).toBeGreaterThan(job.run_at.getTime())
})

test('what a transaction wrote is seen by the job that stands for its call, whichever that is', async () => {
  await sql`create table written (n serial)`.execute(db)
  const written = async (handle: Kysely<SyncDatabase>) =>
    (await sql<{ n: number }>`insert into written default values returning n`.execute(handle)).rows[0]?.n ?? 0
  const seenBy = new Map<string, number>()
  let stopped = false
  const work = async () => {
    while (!stopped) {
      const jobs = await fetchNextJobs(db, 'queued_jobs', { worker, limit: 1 })
      const { rows } = await sql<{ last: number }>`select coalesce(max(n), 0)::int as last from written`.execute(db)
      for (const { id } of jobs) seenBy.set(id, rows[0]?.last ?? 0)
      const outcomes = jobs.map(
        ({ id, attempts_count }) => ({ id, attempt: attempts_count, kind: 'succeeded' }) as const,
      )
      await settle(db, 'queued_jobs', outcomes, { worker })
    }
  }
  const workers = [work(), work(), work()]
  const promised: { readonly n: number; readonly by: string }[] = []
  const calls = sixteen.slice(0, 8).map(async () => {
    for (let call = 0; call < 30; call++) {
      await db.transaction().execute(async (trx) => {
        const n = await written(trx)
        const { job } = await enqueue(trx, 'queued_jobs', orders, { unique, whileRunning: 'queue' })
        promised.push({ n, by: job.id })
      })
    }
  })
  await Promise.all(calls)
  await expect.poll(() => promised.every(({ by }) => seenBy.has(by))).toBe(true)
  stopped = true
  await Promise.all(workers)
  expect(promised.filter(({ n, by }) => (seenBy.get(by) ?? 0) < n)).toEqual([])
})

describe('within', () => {
  const hourly = { unique, within: '1h' } as const

  test('of sixteen at once one is new, though the jobs end at once', async () => {
    const stop = ending('hourly_jobs')
    for (let round = 0; round < 30; round++) {
      const values = { shop: round, resource: 'orders' }
      const calls = sixteen.map(async () => {
        const answers = [
          await enqueue(db, 'hourly_jobs', values, hourly),
          await enqueue(db, 'hourly_jobs', values, hourly),
        ]
        return answers.filter(({ isNew }) => isNew).length
      })
      expect((await Promise.all(calls)).reduce((sum, each) => sum + each)).toBe(1)
    }
    await stop()
    expect(await statuses(db, 'hourly_jobs')).toHaveLength(30)
  })

  test('in each window there is one, exactly, by the times that the database wrote', async () => {
    const stop = ending('hourly_jobs')
    const window = 30
    const options = { unique, within: window } as const
    await Promise.all(
      sixteen.map(async () => {
        for (let n = 0; n < 60; n++) await enqueue(db, 'hourly_jobs', orders, options)
      }),
    )
    await stop()
    const { rows } = await sql<{ gap: number }>`
      select extract(epoch from created_at - lag(created_at) over (order by created_at)) * 1000 as gap from hourly_jobs`.execute(
      db,
    )
    const gaps = rows.slice(1).map(({ gap }) => Number(gap))
    expect(gaps.length).toBeGreaterThan(1)
    expect(gaps.filter((gap) => gap < window)).toEqual([])
  })
})
