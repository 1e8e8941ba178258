import { sql } from 'kysely'
import { createRunner, createWorker, enqueue, FatalError, jobHistory, type Worker, type WorkerStats } from 'kysely-jobs'
import { createJobHistory, createJobTable, dropJobHistory, dropJobIndexes } from 'kysely-jobs/migrate'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { countOf } from '../../src/records/histogram.js'
import { takeTurn } from '../../src/records/samples.js'
import { noStats } from '../../src/records/stats.js'
import { deleteHistory } from '../../src/records/write-history.js'
import { Historian } from '../../src/runner/records/historian.js'
import type { Recorded } from '../../src/runner/records/record.js'
import { Recorder, type RecorderTimes } from '../../src/runner/records/recorder.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { quiet } from '../worker/mail-jobs.js'

const tables = ['mail_jobs', 'report_jobs'] as const

const { db } = await testDatabase<any>(async (handle) => {
  for (const table of tables) await createJobTable(handle, table, (it) => it.addColumn('to', 'text'))
})

const side = { schema: 'public', name: 'job_history' }
const of = { schema: 'public', name: 'mail_jobs' }
const day = 86_400_000

beforeEach(async () => {
  await createJobHistory(db)
  await sql`truncate job_history, mail_jobs, report_jobs`.execute(db)
})

function recorder(workers: readonly Recorded[], times: Partial<RecorderTimes> = {}, logger = quiet): Recorder {
  const made = new Recorder(jobsOf(db, '').db, [new Historian(workers, 30 * day)], logger, { interval: 10, ...times })
  onTestFinished(() => made.stop())
  made.start()
  return made
}

/** A worker of a table, of which the test says what it counted. */
function counting(table: string = 'mail_jobs') {
  let stats: WorkerStats = noStats
  return {
    stats: () => stats,
    describe: () => ({ schema: 'public', table }) as never, // no more is read of it
    count(change: Partial<WorkerStats>) {
      stats = { ...stats, ...change }
    },
  }
}

const total = async (step = 'minute', table = 'mail_jobs') => {
  const { rows } = await sql<any>`
    select coalesce(sum(claimed), 0)::int as claimed, coalesce(sum(succeeded), 0)::int as succeeded, coalesce(sum(failed), 0)::int as failed,
      coalesce(sum((select sum(c) from unnest(wait_counts) c)), 0)::int as waits, coalesce(sum((select sum(c) from unnest(duration_counts) c)), 0)::int as durations
    from job_history where step = ${step} and job_table = ${table}`.execute(db)
  return rows[0]
}

test('what the workers of a runner have done is in the history, by the minute and the hour', async () => {
  const handler = async ({ to }: { to: string | null }) => {
    if (to === 'bad') throw new FatalError('no')
  }
  const worker = createWorker(db, 'mail_jobs', handler as never, { logger: quiet })
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  const idle = new Promise((resolve) => worker.once('idle', resolve as never))
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'bad' }])
  await runner.start()
  await idle
  await runner.stop()
  const done = { claimed: 3, succeeded: 2, failed: 1, waits: 3, durations: 3 }
  expect([await total('minute'), await total('hour')]).toEqual([done, done])
  const points = await jobHistory(db, 'mail_jobs')
  const drawn = points.findLast(({ claimed }) => claimed > 0)
  expect(drawn).toMatchObject({ recorded: true, succeeded: 2, failed: 1, retry: 0, timedOut: 0 })
  expect(drawn?.rate).toBeGreaterThan(0)
  expect(drawn?.wait?.p50).toBeLessThanOrEqual(drawn!.wait!.p99)
  expect(drawn?.duration?.p95).toBeGreaterThan(0)
})

test('ten runners of two tables that write at once add up to what was done', async () => {
  const workers = Array.from({ length: 10 }, (_, n) => {
    const order = n % 2 === 0 ? tables : tables.toReversed()
    return order.map((table) => createWorker(db, table, async () => {}, { logger: quiet, concurrency: 5 }))
  })
  const warn = vi.fn()
  const recorders = workers.map((some) => recorder(some, { interval: 1 }, { ...quiet, warn }))
  for (const table of tables)
    await sql`insert into ${sql.table(table)} ("to") select n::text from generate_series(1, 2000) n`.execute(db)
  const all = workers.flat() as Worker<any, any>[]
  await Promise.all(all.map((worker) => worker.start()))
  const done = () => all.reduce((sum, worker) => sum + worker.stats().succeeded, 0)
  await expect.poll(done, { timeout: 20_000 }).toBe(4000)
  await Promise.all(all.map((worker) => worker.stop()))
  await Promise.all(recorders.map((each) => each.stop()))
  for (const table of tables) {
    const own = all.filter((worker) => worker.table === table)
    const claimed = own.reduce((sum, worker) => sum + worker.stats().claimed, 0)
    const expected = { claimed, succeeded: 2000, failed: 0, waits: 2000, durations: 2000 }
    expect(await total('minute', table)).toEqual(expected)
    expect(await total('hour', table)).toEqual(expected)
  }
  expect(own(workers)).toBeGreaterThanOrEqual(4000)
  expect(warn).not.toHaveBeenCalled()
})

const own = (workers: Worker<any, any>[][]) => workers.flat().reduce((sum, each) => sum + countOf(each.stats().wait), 0)

test('what could not be written is written with the next, once', async () => {
  const worker = counting()
  worker.count({ claimed: 5 })
  await sql`alter table job_history add constraint refused check (claimed = 0)`.execute(db)
  const warn = vi.fn()
  recorder([worker], {}, { ...quiet, warn })
  await expect.poll(() => warn.mock.calls.length).toBe(1)
  worker.count({ claimed: 7, succeeded: 1 })
  await sql`alter table job_history drop constraint refused`.execute(db)
  await expect.poll(() => total()).toMatchObject({ claimed: 7, succeeded: 1 })
})

test('what was sent and not answered in time is counted once, when the answer comes late', async () => {
  const worker = counting()
  const historian = new Historian([worker], 30 * day)
  let writes = 0
  const write: Historian['write'] = (...to) => {
    writes += 1
    return historian.write(...to)
  }
  const record = { side: historian.side, doing: 'test', write, last: historian.last.bind(historian) }
  const recording = new Recorder(jobsOf(db, '').db, [record], quiet, { interval: 1, limit: 20 })
  recording.start()
  await expect.poll(async () => (await jobHistory(db, 'mail_jobs')).at(-1)?.due).toBe(0)
  await db.transaction().execute(async (trx) => {
    await sql`lock table job_history in share mode`.execute(trx)
    worker.count({ claimed: 9 })
    await expect.poll(waiting).toBeGreaterThan(0)
    const before = writes
    await expect.poll(() => writes).toBeGreaterThan(before + 2)
    worker.count({ claimed: 11 })
  })
  await expect.poll(() => total()).toMatchObject({ claimed: 11 })
  await recording.stop()
  expect(await total()).toMatchObject({ claimed: 11 })
})

const waiting = async () => {
  const { rows } = await sql<any>`select count(*)::int as n from pg_locks where not granted`.execute(db)
  return rows[0].n
}

test('where nothing was done nothing is written but samples, and with history: false not even these', async () => {
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const silent = createRunner(db, { workers: [worker], history: false, logger: quiet })
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await silent.start()
  await expect.poll(() => worker.stats().succeeded).toBe(1)
  await silent.stop()
  expect(await sql`select 1 from job_history`.execute(db)).toMatchObject({ rows: [] })
  const idle = counting()
  recorder([idle])
  await expect.poll(async () => (await jobHistory(db, 'mail_jobs')).at(-1)?.due).toBe(0)
  const written = sql`select 1 from job_history where claimed > 0 or wait_counts <> '{}'`
  expect(await written.execute(db)).toMatchObject({ rows: [] })
  expect(() => createRunner(db, { workers: [worker], history: 'long' as never })).toThrow(
    'history: "long" is not a duration',
  )
})

describe('samples', () => {
  test('are taken by one of many runners, once in a minute', async () => {
    const turns = await Promise.all(Array.from({ length: 10 }, () => takeTurn(jobsOf(db, '').db, side, [of])))
    expect(turns.filter(({ won }) => won.length > 0)).toMatchObject([{ won: [of] }])
    for (const { next } of turns) {
      expect(next).toBeGreaterThan(0)
      expect(next).toBeLessThanOrEqual(60_000)
    }
  })

  test('say how much is due, waits and runs, and for how long', async () => {
    await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'eve' }])
    await enqueue(db, 'mail_jobs', { to: 'later' }, { delay: '1h' })
    await sql`update mail_jobs set run_at = now() - interval '1 hour' where "to" = 'bob'`.execute(db)
    await sql`update mail_jobs set status = 'job_status_running' where "to" = 'eve'`.execute(db)
    recorder([counting()])
    await expect.poll(async () => (await jobHistory(db, 'mail_jobs')).at(-1)?.due).toBe(2)
    const sampled = { due: 2, pending: 3, running: 1 }
    for (const step of ['minute', 'hour'] as const) {
      const point = (await jobHistory(db, 'mail_jobs', { step })).at(-1)
      expect(point).toMatchObject(sampled)
      expect(point?.oldestWait).toBeGreaterThanOrEqual(3_600_000)
    }
  })

  test('are not taken of a table that would have to be read for it', async () => {
    await dropJobIndexes(db, 'mail_jobs')
    const large = sql`select 'job_status_succeeded'::job_status, repeat('x', 300) from generate_series(1, 20000)`
    await sql`insert into mail_jobs (status, "to") ${large}`.execute(db)
    const worker = counting()
    worker.count({ claimed: 1 })
    await recorder([worker]).stop()
    recorder([worker, counting('report_jobs')])
    await expect.poll(async () => (await jobHistory(db, 'report_jobs')).at(-1)?.due).toBe(0)
    expect((await jobHistory(db, 'mail_jobs')).at(-1)).toMatchObject({ recorded: true, due: null, oldestWait: null })
    await sql`drop table mail_jobs`.execute(db)
    await createJobTable(db, 'mail_jobs', (it) => it.addColumn('to', 'text'))
  })
})

test('minutes and hours are kept as long as is said; rows that another holds are left for the next time', async () => {
  const row = (step: string, age: string) =>
    sql`insert into job_history (job_schema, job_table, step, began_at) values ('public', 'mail_jobs', ${step}, now() - ${age}::interval)`.execute(
      db,
    )
  for (const [step, age] of [
    ['minute', '3 days'],
    ['minute', '1 day'],
    ['hour', '3 days'],
    ['hour', '40 days'],
    ['hour', '50 days'],
  ] as const)
    await row(step, age)
  const left = async () => {
    const { rows } = await sql<any>`select step from job_history order by began_at`.execute(db)
    return rows.map(({ step }) => step)
  }
  const kept = { minute: 2 * day, hour: 30 * day }
  await db.transaction().execute(async (trx) => {
    await sql`select 1 from job_history where began_at < now() - interval '45 days' for update`.execute(trx)
    await deleteHistory(jobsOf(db, '').db, side, kept)
    expect(await left()).toEqual(['hour', 'hour', 'minute'])
  })
  await deleteHistory(jobsOf(db, '').db, side, kept)
  expect(await left()).toEqual(['hour', 'minute'])
})

describe('the history of a table', () => {
  test('is a point for each step, of which those without a row say so', async () => {
    const at = new Date('2026-01-05T10:20:30Z')
    const worker = counting()
    worker.count({ succeeded: 60, wait: { counts: [0, 0, 4], sum: 6 }, duration: { counts: [], sum: 0 } })
    await recorder([worker]).stop()
    await sql`update job_history set began_at = date_trunc(step, ${at}::timestamptz, 'UTC')`.execute(db)
    const hour = 3_600_000
    const points = await jobHistory(db, 'mail_jobs', { from: new Date(at.getTime() - 2 * hour), to: at, step: 'hour' })
    expect(points.map(({ at, recorded, succeeded }) => [at.toISOString(), recorded, succeeded])).toEqual([
      ['2026-01-05T08:00:00.000Z', false, 0],
      ['2026-01-05T09:00:00.000Z', false, 0],
      ['2026-01-05T10:00:00.000Z', true, 60],
    ])
    const minutes = await jobHistory(db, 'mail_jobs', { to: at })
    expect(minutes).toHaveLength(61)
    expect(minutes.at(-1)).toMatchObject({ rate: 1, duration: null, wait: { p50: expect.any(Number) } })
    expect(minutes.at(-1)!.wait!.p99).toBeLessThanOrEqual(2)
    expect(minutes.at(0)).toMatchObject({ recorded: false, rate: 0, wait: null, due: null })
  })

  test('without its table, or with options that are none, is refused', async () => {
    const odd = (options: object) => jobHistory(db, 'mail_jobs', options)
    await expect(odd({ from: '2026' })).rejects.toThrow('jobHistory: from: "2026" is invalid; give a Date')
    await expect(odd({ step: 'day' })).rejects.toThrow(`jobHistory: step: "day" is invalid; give 'minute' or 'hour'`)
    await expect(odd({ since: 1 })).rejects.toThrow('jobHistory: since: no such option; there are from, to, step')
    await expect(odd({ from: new Date(0), step: 'minute' })).rejects.toThrow('these are more than 10000 minutes')
    await expect(jobHistory(db, 'no_jobs')).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
    await dropJobHistory(db)
    await expect(odd({})).rejects.toThrow('let a migration call createJobHistory(db)')
  })
})
