import { setImmediate as nextTurn } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Prefetch } from '../../src/worker/claim/prefetch.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

function worker(handler: () => unknown, concurrency = 2) {
  const made = createWorker(db, 'mail_jobs', async () => void (await handler()), { logger: quiet, concurrency })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

test('no more handlers run at once than there are slots, however many jobs are claimed ahead', async () => {
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 300)`.execute(db)
  let running = 0
  let most = 0
  const made = worker(async () => {
    running += 1
    most = Math.max(most, running)
    await nextTurn()
    running -= 1
  })
  const ahead = next(made, 'claimed', ({ jobs }: { jobs: unknown[] }) => jobs.length > 10)
  const idle = next(made, 'idle')
  await made.start()
  await ahead
  await idle
  expect(most).toBe(2)
})

test('while its handlers are slow a worker claims no more jobs than it has slots: others may have them', async () => {
  const held = Promise.withResolvers<void>()
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 5 }, (_, n) => ({ to: `${n}` })),
  )
  const made = worker(() => held.promise)
  const claimed = next(made, 'claimed')
  await made.start()
  await claimed
  const running = db.selectFrom('mail_jobs').select('id').where('status', '=', 'job_status_running')
  expect(await running.execute()).toHaveLength(2)
  const idle = next(made, 'idle')
  held.resolve()
  await idle
})

test('handlers that compute leave the event loop to others between them', async () => {
  await sql`insert into mail_jobs ("to") select 'busy' from generate_series(1, 300)`.execute(db)
  let turn = {}
  const counted = new Map<object, number>()
  const watch = setInterval(() => {
    turn = {}
  })
  onTestFinished(() => clearInterval(watch))
  const made = worker(() => {
    counted.set(turn, (counted.get(turn) ?? 0) + 1)
    for (const end = performance.now() + 2; performance.now() < end; );
  }, 10)
  const idle = next(made, 'idle')
  await made.start()
  await idle
  expect(Math.max(...counted.values())).toBeLessThan(20)
})

test('a job that comes while all slots and the queue behind them are full runs when they are free', async () => {
  let looked: () => unknown = () => {}
  const own = new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log: ({ query }) => void (query.sql.startsWith('select') && looked()),
  })
  let held: Promise<void> | undefined
  const made = createWorker(own, 'mail_jobs', () => held, { logger: quiet, concurrency: 10, listen: url, lease: '10m' })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const listening = next(made, 'listener', ({ state }: { state: string }) => state === 'listening')
  await made.start()
  await listening
  let left = 300
  const quickOnes = next(made, 'succeeded', () => --left === 0)
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 300)`.execute(db)
  await quickOnes // not the next idle, which may be of the time before them
  const release = Promise.withResolvers<void>()
  held = release.promise
  let claimed = 0
  made.on('claimed', ({ jobs }) => {
    claimed += jobs.length
  })
  const seen = new Promise<void>((resolve) => {
    looked = () => claimed === 15 && resolve()
  })
  await sql`insert into mail_jobs ("to") select 'held' from generate_series(1, 15)`.execute(db)
  await seen // nothing more is due
  const full = Promise.withResolvers<void>()
  const room = vi.spyOn(Prefetch.prototype, 'room').mockImplementation(() => {
    full.resolve()
    return 0
  })
  onTestFinished(() => room.mockRestore())
  await enqueue(db, 'mail_jobs', { to: 'late' })
  await full.promise // it was rung, and had no room
  room.mockRestore()
  const late = next(made, 'succeeded', ({ job }: { job: { to: string } }) => job.to === 'late')
  release.resolve()
  await late
})
