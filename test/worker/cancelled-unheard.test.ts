import { Kysely, type LogEvent, PostgresDialect } from 'kysely'
import { cancelJobs, enqueue, type WorkerOptions } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, type MailJob, mailWorker, next } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** A process as far as sharing goes: its handle, and the statements that it sends. */
function program() {
  const statements: string[] = []
  const log = ({ query }: LogEvent) => void statements.push(query.sql)
  const pool = quietPool({ connectionString: url })
  return { statements, db: new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }), log }) }
}

/** A worker with a job for each of these people. It only polls, and its heartbeats are too far apart to tell it anything. */
async function polling(people: readonly string[], options: WorkerOptions<MailJob> = {}, own = program()) {
  const over = Promise.withResolvers<void>()
  const begun: string[] = []
  const aborted = new Map<string, unknown>()
  const worker = mailWorker(
    own.db,
    async ({ to }, { signal }) => {
      begun.push(to)
      signal.addEventListener('abort', () => aborted.set(to, signal.reason.code))
      await over.promise
    },
    { lease: '1h', pollInterval: '50ms', ...options },
  )
  onTestFinished(() => over.resolve())
  await enqueue(
    db,
    'mail_jobs',
    people.map((to) => ({ to })),
  )
  await worker.start()
  await expect.poll(() => begun).toHaveLength(people.length)
  return { worker, statements: own.statements, aborted, end: over.resolve }
}

const isLook = (statement: string) => statement.includes('as "expired"')
const asksForLeases = (statement: string) => isLook(statement) && statement.includes('count(*) as "held"')

test('where a worker only polls, a running job that is cancelled learns it by a poll, and its neighbour is left alone', async () => {
  const { worker, aborted } = await polling(['ada', 'ben'])
  const cancelled = next<{ job: MailJob }>(worker, 'cancelled')
  await cancelJobs(db, 'mail_jobs', { where: (job) => job('to', '=', 'ada') })
  expect((await cancelled).job.to).toBe('ada')
  expect([...aborted]).toEqual([['ada', 'CANCELLED']])
})

test('so does a job whose row is deleted, of any of the workers of a process', async () => {
  const own = program()
  const first = await polling(['ada'], { concurrency: 1 }, own)
  const second = await polling(['ben'], { concurrency: 1 }, own)
  await db.deleteFrom('mail_jobs').execute()
  await expect
    .poll(() => [...first.aborted, ...second.aborted], { timeout: 6_000 })
    .toEqual([
      ['ada', 'LEASE_LOST'],
      ['ben', 'LEASE_LOST'],
    ])
})

test('polls ask for the leases of all workers by no statement more, and for none when no job runs', async () => {
  const own = program()
  const workers = [await polling(['ada'], { concurrency: 1 }, own), await polling(['ben'], { concurrency: 1 }, own)]
  const { statements } = own
  /** Waits for so many more that fit, and tells what was sent meanwhile. */
  const until = async (fits: (statement: string) => boolean, count: number) => {
    const from = statements.length
    await expect.poll(() => statements.slice(from).filter(fits).length, { timeout: 10_000 }).toBeGreaterThan(count)
    return statements.slice(from)
  }
  await until(asksForLeases, 30) // by then they ask for both
  // Looks for what is lost are a second apart.
  expect((await until(asksForLeases, 40)).filter((statement) => !isLook(statement))).toEqual([])
  const idle = Promise.all(workers.map(({ worker }) => next(worker, 'idle')))
  for (const { end } of workers) end()
  await idle
  await until(isLook, 1)
  expect((await until(isLook, 5)).filter(asksForLeases)).toEqual([])
})

test('a worker that listens is told, so its polls ask for no leases', async () => {
  const { worker, statements, aborted } = await polling(['ada'], { listen: url })
  await expect.poll(() => worker.health().listener).toBe('listening')
  const from = statements.length
  await expect.poll(() => statements.slice(from).filter(isLook).length, { timeout: 10_000 }).toBeGreaterThan(30)
  expect(statements.slice(from + 3).filter(asksForLeases)).toEqual([])
  await cancelJobs(db, 'mail_jobs', { where: (job) => job('to', '=', 'ada') })
  await expect.poll(() => [...aborted]).toEqual([['ada', 'CANCELLED']])
})
