import { sql } from 'kysely'
import { enqueue, linear } from 'kysely-jobs'
import { createJobTriggers, dropJobTriggers } from 'kysely-jobs/migrate'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { at, next, quiet, sendMail } from './send-mail.js'

const { db, url, add, abandoned, row, work } = await sendMail()

afterEach(() => void vi.useRealTimers())

const statuses = async () =>
  (await db.selectFrom('send_mail_jobs').select('status').orderBy('run_at').execute()).map(({ status }) => status)

/** A handler that goes on until the test lets it. */
function held() {
  const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let runs = 0
  const handler = () => {
    runs += 1
    begun.resolve()
    return gate.promise
  }
  onTestFinished(() => gate.resolve())
  return {
    handler,
    begun: begun.promise,
    release: gate.resolve,
    get runs() {
      return runs
    },
  }
}

test('D8: a hundred jobs of one transaction are one notification, and all run at once', async () => {
  await createJobTriggers(db, 'send_mail_jobs')
  onTestFinished(() => dropJobTriggers(db, 'send_mail_jobs'))
  let runs = 0
  const count = async () => {
    runs += 1
  }
  const served = work(count, { listen: url, pollInterval: '1h', concurrency: 4 })
  const listening = next(served, 'listener', ({ state }: { state: string }) => state === 'listening')
  await served.start()
  await listening
  const done = next(served, 'idle', () => runs === 100)
  await enqueue(
    db,
    'send_mail_jobs',
    Array.from({ length: 100 }, () => ({ recipient: 'ada' })),
  )
  await done
})

test('D10, D16: a database that is away ends no worker, and what a handler has done is written when it is back', async () => {
  const job = held()
  const { id } = await add()
  const served = work(job.handler)
  await served.start()
  await job.begun
  await sql`alter table send_mail_jobs rename to hidden`.execute(db)
  const unwritten = next(served, 'error', ({ doing }: { doing: string }) => doing.startsWith('writing'))
  const succeeded = next(served, 'succeeded')
  job.release()
  await unwritten
  await sql`alter table hidden rename to send_mail_jobs`.execute(db)
  await succeeded
  expect(job.runs).toBe(1)
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
  expect(served.health().alive).toBe(true)
})

test('D11: a job whose worker was killed runs again, though nobody set a timeout', async () => {
  const { id } = await abandoned()
  const served = work(async () => {})
  const succeeded = next(served, 'succeeded')
  await served.start()
  await succeeded
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 2 })
})

test('D12: a job that kills its worker each time ends as failed, and says why', async () => {
  const { id } = await abandoned({ attempts_count: 10, created_at: at('-1 year') })
  const served = work(() => Promise.reject(new Error('it must not run')))
  const rescued = next(served, 'rescued')
  await served.start()
  await rescued
  expect(await row(id)).toMatchObject({
    status: 'job_status_failed',
    attempts_count: 10,
    last_error: expect.stringContaining('Lease expired'),
  })
})

test('D13: a handler may run for longer than the lease, and nobody else gets its job', async () => {
  const job = held()
  const { id } = await add()
  const served = work(job.handler, { lease: '1s' })
  await served.start()
  await job.begun
  const claim = (await row(id)).locked_at?.getTime() ?? Number.NaN
  await expect.poll(async () => (await row(id)).locked_at?.getTime(), { timeout: 10_000 }).toBeGreaterThan(claim + 500)
  const succeeded = next(served, 'succeeded')
  job.release()
  await succeeded
  expect(await row(id)).toMatchObject({ attempts_count: 1 })
})

test("D17: the database's clock decides, whatever the worker's says", async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2001-01-01') })
  const { id } = await add()
  const served = work(() => Promise.reject(new Error('away')), { backoff: linear({ delay: '30s' }) })
  const retry = next(served, 'retry')
  await served.start()
  await retry
  const { rows } = await sql`
    select updated_at between now() - interval '10 seconds' and now() as now,
      run_at - updated_at between interval '29 seconds' and interval '31 seconds' as later
    from send_mail_jobs where id = ${id}`.execute(db)
  expect(rows).toEqual([{ now: true, later: true }])
})

test('D28: a handler that does not heed its timeout keeps its slot, and what it returns in the end is not written', async () => {
  const job = held()
  const { id } = await add()
  const second = await add({ run_at: at('-1 millisecond'), recipient: 'second' })
  await db
    .updateTable('send_mail_jobs')
    .set({ run_at: at('-1 hour') })
    .where('id', '=', id)
    .execute()
  const reasons: string[] = []
  const served = work(
    async ({ recipient }, { signal }) => {
      if (recipient === 'second') return
      signal.addEventListener('abort', () => reasons.push(signal.reason.code))
      await job.handler()
    },
    { concurrency: 1, timeout: 20, maxAttempts: 1 },
  )
  const timedOut = next(served, 'timedOut')
  await served.start()
  await timedOut
  expect(reasons).toEqual(['TIMEOUT'])
  expect(served.health().running).toBe(1)
  expect(await row(second.id)).toMatchObject({ attempts_count: 0 })
  const succeeded = next(served, 'succeeded')
  job.release()
  await succeeded
  expect(await row(id)).toMatchObject({ status: 'job_status_timed_out', last_error: 'Timeout reached' })
})

test('D31: a handler that is cut short by the end of its worker has not used up an attempt', async () => {
  const begun = Promise.withResolvers<void>()
  const { id } = await add()
  const served = work(
    (_job, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        begun.resolve()
      }),
  )
  await served.start()
  await begun.promise
  await served.stop({ deadline: 0 })
  expect(await row(id)).toMatchObject({ status: 'job_status_not_started', attempts_count: 0, last_error: null })
})

test('D32: a worker that is stopped while it is busy begins nothing new', async () => {
  const job = held()
  for (let i = 0; i < 3; i += 1) await add()
  const served = work(job.handler, { concurrency: 1 })
  await served.start()
  await job.begun
  const stopped = served.stop()
  job.release()
  await stopped
  expect(job.runs).toBe(1)
  expect((await statuses()).sort()).toEqual([
    'job_status_not_started',
    'job_status_not_started',
    'job_status_succeeded',
  ])
})

test('D33: stopping ends at its deadline, also where a handler does not', async () => {
  const job = held()
  await add()
  const served = work(job.handler, { logger: quiet })
  await served.start()
  await job.begun
  expect(await served.stop({ deadline: 10 })).toEqual({ left: 1 })
})
