import { setTimeout as pause } from 'node:timers/promises'
import { type IsolationLevel, sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { fetchNextJobs, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { keepLeases } from '../../src/queue/hold.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

// A transaction that is repeatable read or serializable can't write to a row that was written to since it began, as heartbeats do.

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

type MailHandler = Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2]

const lease = 2_000

function worker(handler: MailHandler, options: object = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { ...{ logger: quiet, pollInterval: '50ms', lease, ...options } })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const told: string[] = []
  for (const event of ['succeeded', 'retry', 'failed', 'released', 'lost', 'rescued'] as const)
    made.on(event, () => told.push(event))
  return { made, told }
}

/** Rescues whatever it may, again and again. @returns what was rescued until then */
function rescuing() {
  const over = new AbortController()
  onTestFinished(() => over.abort())
  const all = (async () => {
    const rescued: unknown[] = []
    for (; !over.signal.aborted; await pause(50)) {
      rescued.push(...(await rescue(db, 'mail_jobs', { lease, maxAttempts: 5 })))
    }
    return rescued
  })()
  return () => {
    over.abort()
    return all
  }
}

/** Completes its job in a transaction that lasts longer than its lease, in which it says nothing for so long. */
function longTransaction(level: IsolationLevel, isHeld: boolean): MailHandler {
  return ({ id }, { attempt, hold, complete }) =>
    db
      .transaction()
      .setIsolationLevel(level)
      .execute(async (trx) => {
        if (isHeld) await hold(trx)
        await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
        await pause(lease * 1.5)
        await complete(trx)
      })
}

const levels: IsolationLevel[] = ['repeatable read', 'serializable']

test.each(levels)('a long transaction (%s) that holds its job first completes it', async (level) => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { made, told } = worker(longTransaction(level, true))
  const rescued = rescuing()
  const succeeded = next(made, 'succeeded')
  await made.start()
  await succeeded
  expect(await rescued()).toEqual([])
  expect(told).toEqual(['succeeded'])
  expect(await db.selectFrom('mail_jobs').select(['status', 'attempts_count']).execute()).toEqual([
    { status: 'job_status_succeeded', attempts_count: 1 },
  ])
})

test.each([
  ['repeatable read', false],
  ['serializable', true],
] as const)(
  'one (%s) that only completes runs once more, as its heartbeat stood in its way; then it, and all that follow, complete',
  async (level, deletes) => {
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    const { made, told } = worker(longTransaction(level, false), {
      ...{ maxAttempts: 1, succeeded: deletes ? 'delete' : 'keep' },
    })
    const rescued = rescuing()
    const succeeded = next(made, 'succeeded')
    await made.start()
    await succeeded
    const another = next(made, 'succeeded')
    await enqueue(db, 'mail_jobs', { to: 'bob' })
    await another
    expect(told).toEqual(['released', 'succeeded', 'succeeded'])
    expect(await rescued()).toEqual([])
    expect(await db.selectFrom('sent').select('attempt').execute()).toEqual([{ attempt: 1 }, { attempt: 1 }])
    const rows = await db.selectFrom('mail_jobs').select(['status', 'attempts_count']).execute()
    expect(rows).toEqual(deletes ? [] : [1, 2].map(() => ({ status: 'job_status_succeeded', attempts_count: 1 })))
  },
)

test('what is kept without heartbeats is rescued by nobody while its worker lives, and by anybody when its connection is gone', async () => {
  const me = '11111111-1111-4111-8111-111111111111'
  await enqueue(db, 'mail_jobs', [{ to: 'kept' }, { to: 'not' }, { to: 'taken' }])
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker: me, limit: 3 })
  await sql`update mail_jobs set locked_at = now() - interval '1 hour'`.execute(db)
  await sql`update mail_jobs set locked_by = gen_random_uuid(), locked_at = now() where "to" = 'taken'`.execute(db)
  const expired = () => rescue(db, 'mail_jobs', { lease: '1m', maxAttempts: 5 })
  await db.transaction().execute(async (trx) => {
    const leases = jobs.filter(({ to }) => to !== 'not').map(({ id }) => ({ id, attempt: 1 }))
    const kept = await keepLeases(jobsOf(trx, 'mail_jobs'), leases, { worker: me, silence: 60_000 })
    expect(kept).toEqual(jobs.filter(({ to }) => to === 'kept').map(({ id }) => ({ id, attempt: 1 })))
    expect(await expired()).toMatchObject([{ id: jobs.find(({ to }) => to === 'not')?.id }])
  })
  expect(await expired()).toMatchObject([{ id: jobs.find(({ to }) => to === 'kept')?.id }])
})

test('the error of a completion that a heartbeat stood in the way of names the remedy, and keeps its code', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const error = Promise.withResolvers<Error>()
  const { made } = worker(({ id }, { complete }) =>
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (trx) => {
        await trx.selectFrom('mail_jobs').select('id').execute()
        await sql`update mail_jobs set locked_at = clock_timestamp() where id = ${id}`.execute(db)
        await complete(trx)
      })
      .catch(error.resolve),
  )
  await made.start()
  expect(await error.promise).toMatchObject({ code: '40001', message: expect.stringContaining('context.hold(trx)') })
})
