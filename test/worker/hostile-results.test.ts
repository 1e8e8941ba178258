import { sql } from 'kysely'
import { createWorker, type Duration, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from './mail-jobs.js'

const { db } = await testDatabase((db) =>
  createJobTable(db, 'jobs', (table) => table.addColumn('to', 'text').addColumn('result', 'jsonb')),
)

beforeEach(() => db.deleteFrom('jobs').execute())

/** Runs a job of each result beside a hundred good ones. @returns the rows of the former, by their `to` */
async function settled(
  results: Record<string, () => unknown>,
  columns = ['status', 'result'],
  lease: Duration = '10s',
) {
  const good = Array.from({ length: 100 }, () => ({ to: 'good' }))
  await enqueue(db, 'jobs', [...good, ...Object.keys(results).map((to) => ({ to }))])
  const worker = createWorker(db, 'jobs', ({ to }) => (results[to] ?? (() => 'good'))(), {
    ...{ logger: quiet, concurrency: 50, lease, maxAttempts: 1 },
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const rows = await db.selectFrom('jobs').selectAll().execute()
  const others = rows.filter(({ to }) => to === 'good')
  expect(new Set(others.map(({ status, result }) => `${status}: ${result}`))).toEqual(
    new Set(['job_status_succeeded: good']),
  )
  return Object.fromEntries(
    rows.filter(({ to }) => to !== 'good').map((row) => [row.to, columns.map((column) => row[column])]),
  )
}

test('a result is what it was when the handler returned, whatever becomes of the object', async () => {
  const spoil = <Value>(value: Value, change: (value: Value) => void) => {
    const later = async () => {
      for (let n = 0; n < 10; n++) await undefined // after the return, before the next turn, in which it is written
      change(value)
    }
    void later()
    return value
  }
  let looked = 0
  const rows = await settled({
    'grows a bigint': () => spoil({ kept: 1 } as Record<string, unknown>, (value) => Object.assign(value, { big: 1n })),
    'becomes a circle': () => spoil([1] as unknown[], (value) => value.push(value)),
    'is changed': () => spoil({ a: 1 }, (value) => Object.assign(value, { a: 2 })),
    'throws the second time': () => ({
      toJSON: () => {
        if (looked++ > 0) throw new Error('only once')
        return 'once'
      },
    }),
  })
  expect(rows).toEqual({
    'grows a bigint': ['job_status_succeeded', { kept: 1 }],
    'becomes a circle': ['job_status_succeeded', [1]],
    'is changed': ['job_status_succeeded', { a: 1 }],
    'throws the second time': ['job_status_succeeded', 'once'],
  })
})

const fail = () => {
  throw new Error('do not touch')
}

test('a result that can not be stored fails its own job, and says why', async () => {
  const rows = await settled(
    {
      'is a bigint': () => 1n,
      'can not be looked at': () => new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : fail()) }),
      'has a NUL': () => '\0',
      'is huge': () => 'x'.repeat(2 ** 26),
    },
    ['status', 'last_error'],
  )
  expect(rows).toEqual({
    'is a bigint': ['job_status_failed', expect.stringContaining('ResultError')],
    'can not be looked at': ['job_status_failed', expect.stringContaining('ResultError')],
    'has a NUL': ['job_status_failed', expect.stringContaining('ResultError')],
    'is huge': ['job_status_failed', expect.stringMatching(/ResultError.* 67108866 characters of JSON/)],
  })
})

test('a result that takes too long to be written holds up no other, and fails its own job', async () => {
  await sql`create function dawdle() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.5); raise 'never'; end $$`.execute(db)
  await sql`create trigger dawdle before update on jobs for each row
    when (length(new.result::text) > 1000000) execute function dawdle()`.execute(db)
  onTestFinished(() => sql`drop function dawdle cascade`.execute(db).then(() => {}))
  const results = { slow: () => 'x'.repeat(1_100_000) }
  expect(await settled(results, ['status', 'last_error'], '1s')).toEqual({
    slow: ['job_status_failed', expect.stringMatching(/its success was refused for 1000 ms\ncaused by DeadlineError/)],
  })
})

test('large results together are written in more than one statement', async () => {
  const large = 'x'.repeat(5_000_000)
  const names = ['a', 'b', 'c', 'd']
  const rows = await settled(Object.fromEntries(names.map((name) => [name, () => `${name}${large}`])), ['status'])
  expect(Object.values(rows)).toEqual(names.map(() => ['job_status_succeeded']))
  const { rows: lengths } = await sql`select distinct length(result::text) from jobs where "to" <> 'good'`.execute(db)
  expect(lengths).toEqual([{ length: large.length + 3 }])
})
