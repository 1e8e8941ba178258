import { sql } from 'kysely'
import { linear } from 'kysely-jobs'
import { createJobTriggers } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, settle } from 'kysely-jobs/queue'
import { describe, expect, test } from 'vitest'
import type { IhpJob } from '../support/ihp-loop.js'
import { type ModernIhpOptions, ModernIhpWorker } from '../support/ihp-modern-worker.js'
import { createIhpTriggers, createMissingIhpTriggers } from '../support/ihp-table.js'
import { at, next, otherWorker, sendMail, worker } from './send-mail.js'

const { db, url, pool, add, abandoned, row, work } = await sendMail()

const ihpWorker = (options: ModernIhpOptions = {}) => new ModernIhpWorker(pool, 'send_mail_jobs', options)

/** As if so much time had passed since the last heartbeat. */
const age = (offset: string) =>
  db
    .updateTable('send_mail_jobs')
    .set({ locked_at: at(offset) })
    .execute()

async function claimedBy(ihp: ModernIhpWorker): Promise<IhpJob> {
  const job = await ihp.fetchNextJob()
  if (job === undefined) throw new Error('there is nothing to claim')
  return job
}

/** A claim of ours, by the verbs. */
async function claimedByUs() {
  const [job] = await fetchNextJobs(db, 'send_mail_jobs', { worker, limit: 1 })
  if (job === undefined) throw new Error('there is nothing to claim')
  return { id: job.id, attempt: job.attempts_count }
}

/** A handler that goes on until the test lets it, whatever its signal says. */
function held() {
  const [begun, gate] = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<void>()]
  const handler = (_job: unknown, { signal }: { readonly signal: AbortSignal }) => {
    begun.resolve(signal)
    return gate.promise
  }
  return { handler, begun: begun.promise, release: gate.resolve }
}

describe('retries', () => {
  test('what IHP failed is run by us from its run_at on, without seedBackoff', async () => {
    const { id } = await add()
    const ihp = ihpWorker({ backoff: { exponential: 600 } })
    await ihp.jobDidFail(await claimedBy(ihp), new Error('mail server away'))
    expect(await fetchNextJobs(db, 'send_mail_jobs', { worker, limit: 1 })).toEqual([])
    await db.updateTable('send_mail_jobs').set({ run_at: sql`run_at - interval '20 minutes'` }).execute()
    const served = work(async () => {})
    const succeeded = next(served, 'succeeded')
    await served.start()
    await succeeded
    expect(await row(id)).toMatchObject({ attempts_count: 2, last_error: 'Error: mail server away' })
  })

  test('what we failed is run by IHP from its run_at on', async () => {
    const { id } = await add()
    const served = work(() => Promise.reject(new Error('away')), { backoff: linear({ delay: '30s' }) })
    const retry = next(served, 'retry')
    await served.start()
    await retry
    await served.stop()
    expect(await ihpWorker().fetchNextJob()).toBeUndefined()
    await db.updateTable('send_mail_jobs').set({ run_at: sql`run_at - interval '31 seconds'` }).execute()
    expect(await ihpWorker().fetchNextJob()).toMatchObject({ id, attempts_count: 2 })
  })

  test("a retry of IHP's waits as much longer as the clock of its machine is ahead", async () => {
    await add()
    const ihp = ihpWorker({ clockAhead: 3_600_000 })
    await ihp.jobDidTimeout(await claimedBy(ihp))
    const { rows } = await sql`select run_at > now() + interval '50 minutes' as later from send_mail_jobs`.execute(db)
    expect(rows).toEqual([{ later: true }])
  })
})

describe('notifications', () => {
  test.each([
    ['1.5 or 1.6, which makes the triggers anew', createIhpTriggers],
    ['1.7 or later, which replaces their function', createMissingIhpTriggers],
  ])('after a start of IHP %s, new jobs and retries still wake our workers', async (_, startOfIhp) => {
    await createJobTriggers(db, 'send_mail_jobs')
    await startOfIhp(db)
    const served = work(
      ({ attempts_count }) => (attempts_count === 1 ? Promise.reject(new Error('away')) : undefined),
      { listen: url, pollInterval: '1h', lease: '1h', backoff: linear({ delay: 100 }) },
    )
    const listening = next(served, 'listener', ({ state }: { state: string }) => state === 'listening')
    await served.start()
    await listening
    let count = 0
    const succeeded = next(served, 'succeeded', () => ++count === 3)
    await pool.query(`INSERT INTO send_mail_jobs (recipient) VALUES ('ada'), ('bob')`)
    await pool.query(
      `INSERT INTO send_mail_jobs (recipient, run_at) VALUES ('later', NOW() + interval '200 milliseconds')`,
    )
    await succeeded
  })
})

describe('staleJobTimeout', () => {
  test('a long job of ours is left alone, as long as it is renewed more often', async () => {
    await add()
    const lease = await claimedByUs()
    for (let renewals = 0; renewals < 3; renewals += 1) {
      await age('-9 minutes')
      await ihpWorker().recoverStaleJobs()
      expect(await heartbeat(db, 'send_mail_jobs', [lease], { worker })).toEqual([lease])
    }
    expect(await settle(db, 'send_mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })).toHaveLength(1)
  })

  test('a job of ours that is renewed more seldom is lost: its handler is told, and what it does is not written', async () => {
    const { id } = await add()
    const job = held()
    const served = work(job.handler, { lease: '1s', concurrency: 1 })
    const lost = next(served, 'lost')
    await served.start()
    const signal = await job.begun
    const ihp = ihpWorker()
    const client = await pool.connect() // in one transaction, so that no heartbeat falls between
    await client.query(`BEGIN; UPDATE send_mail_jobs SET locked_at = NOW() - interval '11 minutes'`)
    await ihp.recoverStaleJobs(client)
    await client.query('COMMIT')
    client.release()
    const theirs = await claimedBy(ihp)
    await lost
    expect(signal.aborted).toBe(true)
    const idle = next(served, 'idle')
    job.release()
    await idle
    expect(await row(id)).toMatchObject({ status: 'job_status_running', locked_by: ihp.id, attempts_count: 2 })
    await ihp.jobDidSucceed(theirs)
  })

  test('a job that IHP brought back has one more attempt, whatever it had, and then it fails', async () => {
    const { id } = await abandoned({ attempts_count: 10, locked_at: at('-11 minutes') })
    await ihpWorker().recoverStaleJobs()
    expect(await row(id)).toMatchObject({ status: 'job_status_retry', attempts_count: 10 })
    const served = work(() => Promise.reject(new Error('away')))
    const failed = next(served, 'failed')
    await served.start()
    await failed
    expect(await row(id)).toMatchObject({ status: 'job_status_failed', attempts_count: 11 })
  })

  test('a job that nobody renewed for a day ends as failed where IHP finds it first', async () => {
    const { id } = await abandoned({ locked_at: at('-25 hours') })
    await ihpWorker().recoverStaleJobs()
    expect(await row(id)).toMatchObject({
      status: 'job_status_failed',
      last_error: 'Stale job: worker likely crashed',
    })
  })
})

describe('late results', () => {
  /** IHP runs the job for longer than our lease, so that we run it as well. */
  async function runTwice() {
    const { id } = await add()
    const ihp = ihpWorker({ backoff: { linear: 0 } })
    const theirs = await claimedBy(ihp)
    await age('-2 minutes')
    const job = held()
    const served = work(job.handler, { lease: '1s', concurrency: 1 })
    const [lost, idle] = [next(served, 'lost'), next(served, 'idle')]
    await served.start()
    const signal = await job.begun
    return { id, ihp, theirs, job, lost, idle, signal }
  }

  test("a late success of IHP's ends a job that we run: our handler is told, and its outcome is not written", async () => {
    const { id, ihp, theirs, job, lost, idle, signal } = await runTwice()
    await ihp.jobDidSucceed(theirs)
    await lost
    expect(signal.aborted).toBe(true)
    const before = await row(id)
    job.release()
    await idle
    expect(await row(id)).toEqual(before)
    expect(before).toMatchObject({ status: 'job_status_succeeded', attempts_count: 2 })
  })

  test("a late failure of IHP's brings a job back that we run: it runs once more", async () => {
    const { id, ihp, theirs, job, lost, idle } = await runTwice()
    await ihp.jobDidFail(theirs, new Error('away'))
    await lost
    job.release()
    await idle
    expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 3 })
  })

  test('a late outcome of ours changes nothing of a job that IHP runs', async () => {
    const { id } = await add()
    const lease = await claimedByUs()
    await age('-11 minutes')
    const ihp = ihpWorker()
    await ihp.recoverStaleJobs()
    await claimedBy(ihp)
    const before = await row(id)
    expect(await heartbeat(db, 'send_mail_jobs', [lease], { worker })).toEqual([])
    expect(await settle(db, 'send_mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })).toEqual([])
    expect(await row(id)).toEqual(before)
  })
})

describe("a retry in IHP's dashboard", () => {
  test('of a job whose worker was killed: no IHP worker takes it, as it stays locked; ours do', async () => {
    const { id } = await abandoned({ locked_by: otherWorker })
    const ihp = ihpWorker()
    await ihp.retryInDashboard(id)
    await ihp.recoverStaleJobs()
    expect(await ihp.fetchNextJob()).toBeUndefined()
    const served = work(async () => {})
    const succeeded = next(served, 'succeeded')
    await served.start()
    await succeeded
    expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 2 })
  })

  test('of a job that IHP still runs: ours do not take it, and it ends as IHP says', async () => {
    const { id } = await add()
    const ihp = ihpWorker()
    const job = await claimedBy(ihp)
    await ihp.retryInDashboard(id)
    const served = work(() => Promise.reject(new Error('it must not run')))
    const idle = next(served, 'idle')
    await served.start()
    await idle
    await ihp.jobDidSucceed(job)
    expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
  })
})
