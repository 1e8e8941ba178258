import { type CompiledQuery, Kysely, type LogEvent, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { BacklogCursor } from '../../src/worker/claim/backlog-cursor.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const isFetch = (statement: string) => statement.includes('skip locked') && statement.includes('job_status_running')
const isFromHorizon = (statement: string) => isFetch(statement) && statement.includes('"run_at" >= ')

/** A backlog of so many jobs, due one after the other; a worker that works it off, and what it sends. */
async function backlog(count: number) {
  const start = Date.now() - 3_600_000
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: count }, (_, n) => ({
      to: `mail ${n}`,
      run_at: new Date(start + n),
    })),
  )
  const statements: string[] = []
  const log = ({ query }: LogEvent) => void statements.push(query.sql)
  const pool = quietPool({ connectionString: url })
  const own = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }), log })
  const done: string[] = []
  const worker = createWorker(own, 'mail_jobs', (job) => void done.push(job.to), { logger: quiet, concurrency: 10 })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  return { worker, statements, done }
}

test('a backlog is worked off from where the last fetch ended, so that what is dead before it is not read again', async () => {
  const { worker, statements, done } = await backlog(4_000)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(new Set(done).size).toBe(4_000)
  expect(done).toHaveLength(4_000)
  expect(statements.some(isFromHorizon)).toBe(true)
})

test('a worker rests only when nothing is due from the beginning either', async () => {
  const { worker, statements, done } = await backlog(4_000)
  const held = await db.startTransaction().execute()
  await held.selectFrom('mail_jobs').select('id').orderBy('run_at').limit(1).forUpdate().execute()
  const idle = next(worker, 'idle')
  const rest = new Promise<void>((resolve) => worker.on('succeeded', () => done.length === 3_999 && resolve()))
  await worker.start()
  await rest
  await held.rollback().execute()
  await idle
  expect(done.at(-1)).toBe('mail 0')
  expect(isFromHorizon(statements.findLast(isFetch) ?? '')).toBe(false)
})

const levels = await testDatabase((own) =>
  createJobTable(own, 'level_jobs', (table) => table.addColumn('to', 'text'), { columns: ['priority'] }),
)

/** A backlog of so many jobs at three levels, a worker that works it off, and the jobs of each of its claims. */
async function levelBacklog(count: number) {
  const { db, url } = levels
  await db.deleteFrom('level_jobs').execute()
  await sql`insert into level_jobs ("to", priority, run_at)
    select 'backlog', n % 3, now() - interval '1 hour' + n * interval '1 millisecond' from generate_series(1, ${count}) n`.execute(
    db,
  )
  const statements: CompiledQuery[] = []
  const log = ({ query }: LogEvent) => void statements.push(query)
  const own = new Kysely<any>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log,
  })
  const claims: any[][] = []
  const done: string[] = []
  const worker = createWorker(own, 'level_jobs', (job) => void done.push(job.to), {
    logger: quiet,
    concurrency: 10,
    pollInterval: '20ms',
  })
  worker.on('claimed', ({ jobs }) => claims.push([...jobs]))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const claimed = (jobs: number) => next(worker, 'claimed', () => claims.flat().length >= jobs)
  return { db, worker, statements, claims, done, claimed }
}

test('while a backlog of several levels is worked off, what others enqueue at a higher level goes first', async () => {
  const { db, worker, claims, done, claimed } = await levelBacklog(9_000)
  const idle = next(worker, 'idle')
  const begun = claimed(600)
  const atLowest = next<{ jobs: readonly any[] }>(worker, 'claimed', ({ jobs }) => jobs.at(-1)?.priority === 0)
  await worker.start()
  await begun
  await enqueue(db, 'level_jobs', { to: 'of a new level', priority: 7 })
  const first = claims.length
  await atLowest
  await enqueue(db, 'level_jobs', { to: 'of a level that was worked off', priority: 2 })
  const second = claims.length
  await idle
  expect(done).toHaveLength(9_002)
  const claimOf = (name: string) => claims.findIndex((jobs) => jobs.some(({ to }) => to === name))
  // two fetches may have been under way
  expect(claimOf('of a new level')).toBeLessThanOrEqual(first + 2)
  expect(claimOf('of a level that was worked off')).toBeLessThanOrEqual(second + 2)
  const backlog = claims.flat().filter(({ to }) => to === 'backlog')
  expect(backlog.map(({ priority }) => priority)).toEqual(backlog.map((_, n) => 2 - Math.floor(n / 3_000)))
})

test('a job of a higher level that commits late, due before all that was claimed, is done before the worker rests', async () => {
  const { db, worker, done, claimed } = await levelBacklog(12_000)
  const late = await db.startTransaction().execute()
  await enqueue(late, 'level_jobs', { to: 'late', priority: 2, run_at: new Date(Date.now() - 7_200_000) })
  const idle = next(worker, 'idle')
  const half = claimed(6_000)
  await worker.start()
  await half
  await late.commit().execute()
  await idle
  expect(done).toContain('late')
  expect(done).toHaveLength(12_001)
})

test('just after a backlog the question for the next job reads few pages, and what is due before is found all the same', async () => {
  const { db, worker, statements, done } = await levelBacklog(12_000)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const asked = statements.findLast(({ sql }) => sql.includes('kysely_jobs_next') && !sql.includes('json'))
  const plan = await levels.pool.query(`explain (analyze, buffers, format json) ${asked?.sql}`, [
    ...(asked?.parameters ?? []),
  ])
  const root = plan.rows[0]['QUERY PLAN'][0].Plan
  expect(root['Shared Hit Blocks'] + root['Shared Read Blocks']).toBeLessThanOrEqual(60)
  const both = next(worker, 'succeeded', () => done.length === 12_002)
  await enqueue(db, 'level_jobs', { to: 'late', priority: 1, run_at: new Date(Date.now() - 7_200_000) })
  await enqueue(db, 'level_jobs', { to: 'new', priority: 1 })
  await both
  expect(done.slice(-2).toSorted()).toEqual(['late', 'new'])
})

/** A cursor, and a clock that stands still until it is moved on. */
function cursorByClock() {
  let now = 1_000
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  const rows = (count: number) => Array.from({ length: count }, (_, n) => ({ run_at: new Date(n) }))
  const paused: { keys: object[]; clockAt: (time: number) => Date } = {
    keys: [],
    clockAt: (time) => new Date(1_000_000 + time),
  }
  return { cursor: new BacklogCursor(paused), paused, rows, pass: (milliseconds: number) => (now += milliseconds) }
}

test.each([
  [20, 200],
  [400, 4_000],
  [60_000, 5_000],
])('where a look from the beginning takes %i ms, the next one is after %i ms of reading on', (took, wait) => {
  const { cursor, rows, pass } = cursorByClock()
  cursor.advance(rows(1_000), { isWhole: true, isFull: true, took })
  for (let fetch = 0; fetch < 10; fetch++) cursor.advance(rows(1_000), { isWhole: false, isFull: true, took: 10 })
  pass(wait - 1)
  expect(cursor.since?.runAt).toEqual(new Date(999))
  pass(1)
  expect(cursor.since).toBeUndefined()
  expect(cursor.horizon).toBeUndefined()
})

test('after a long backlog a worker looks from the beginning each five seconds, until vacuum has come and that is quick', () => {
  const { cursor, rows, pass } = cursorByClock()
  const looked = (took: number) => {
    cursor.advance([], { isWhole: true, isFull: false, took })
    cursor.compare(1)
  }
  cursor.advance(rows(20_000), { isWhole: true, isFull: true, took: 20 })
  looked(2)
  for (let second = 0; second < 90; second += 5) {
    expect(cursor.horizon).toEqual(new Date(19_999))
    expect(cursor.wait).toBe(5_000)
    pass(5_000)
    expect(cursor.wait).toBe(0)
    looked(2)
  }
  pass(5_000)
  looked(20)
  expect(cursor.horizon).toEqual(new Date(19_999))
  pass(5_000)
  looked(2)
  expect(cursor.horizon).toBeUndefined()
  expect(cursor.wait).toBe(Number.POSITIVE_INFINITY)
})

test('after a short backlog nothing is remembered', () => {
  const { cursor, rows } = cursorByClock()
  cursor.advance(rows(1_000), { isWhole: true, isFull: true, took: 20 })
  cursor.advance(rows(10), { isWhole: false, isFull: false, took: 1 })
  expect(cursor.since).toBeUndefined()
  expect(cursor.isOwed).toBe(false)
})

test('the cursor knows how far each priority is worked off, also where a fetch brings them mixed', () => {
  const cursor = new BacklogCursor()
  const rows = [
    { priority: 1, run_at: new Date(1_000) },
    { priority: 0, run_at: new Date(2_000) },
    { priority: 1, run_at: new Date(3_000) },
    { priority: 2, run_at: new Date(4_000) },
    { priority: 1, run_at: new Date(5_000) },
  ]
  cursor.advance(rows, { isWhole: true, isFull: true, took: 1_000 })
  expect(cursor.since).toEqual({
    runAt: new Date(5_000),
    levels: '{1,0,2}',
    times: '{1970-01-01T00:00:05.000Z,1970-01-01T00:00:02.000Z,1970-01-01T00:00:04.000Z}',
    others: '-infinity',
  })
})

test('beside a paused key a look that brought all there was is not made again from the beginning, but each five seconds', () => {
  const { cursor, paused, pass } = cursorByClock()
  paused.keys = [{}]
  expect(cursor.since).toBeUndefined()
  pass(9_000) // now it is 10,000, by the database's clock 1,010,000
  cursor.advance([], { isWhole: true, isFull: false, took: 100 })
  cursor.compare(99)
  const passed = new Date(1_010_000 - 100 - 1_000) // what became due a second before the look may be committed later
  expect(cursor.since).toEqual({ runAt: passed, levels: '{}', times: '{}', others: passed.toISOString() })
  expect(cursor.horizon).toEqual(passed)
  pass(4_999)
  expect(cursor.since?.runAt).toEqual(passed)
  pass(1)
  expect(cursor.since).toBeUndefined()
})

test('where looks from the beginning are quick, a late commit beside a paused key is found as soon as ever', () => {
  const { cursor, paused, pass } = cursorByClock()
  paused.keys = [{}]
  cursor.advance([], { isWhole: true, isFull: false, took: 2 })
  pass(100)
  cursor.advance([], { isWhole: false, isFull: false, took: 2 })
  expect(cursor.since).toBeUndefined()
})

test('when another key is paused, or one is resumed, a worker looks from the beginning, also if a look was under way', () => {
  const { cursor, paused, pass } = cursorByClock()
  const looked = (took: number) => {
    pass(100)
    cursor.advance([], { isWhole: true, isFull: false, took })
  }
  paused.keys = [{}]
  expect(cursor.since).toBeUndefined()
  looked(20)
  expect(cursor.since).toBeDefined()
  paused.keys = [{}, {}]
  expect(cursor.since).toBeUndefined()
  looked(101) // it was sent before
  expect(cursor.since).toBeUndefined()
  looked(20)
  expect(cursor.since).toBeDefined()
  paused.keys = []
  expect(cursor.horizon).toBeUndefined()
})
