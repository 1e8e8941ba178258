import { sql } from 'kysely'
import { exponential, linear } from 'kysely-jobs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type ModernIhpOptions, ModernIhpWorker } from '../support/ihp-modern-worker.js'
import { createIhpTriggers } from '../support/ihp-table.js'
import { IhpWorker } from '../support/ihp-worker.js'
import { at, next, sendMail } from './send-mail.js'

const { db, url, pool, add, abandoned, row, work } = await sendMail()

const ihpWorker = (options: ConstructorParameters<typeof IhpWorker>[2] = {}) =>
  new IhpWorker(pool, 'send_mail_jobs', options)

const modernWorker = (options: ModernIhpOptions) => new ModernIhpWorker(pool, 'send_mail_jobs', options)

const ofRecipient = (name: string) => (payload: { job: { recipient: string } }) => payload.job.recipient === name

describe('a table as IHP makes it, without a trigger', () => {
  test('jobs of any program are run, retried and timed out, by polling alone', async () => {
    await pool.query(`INSERT INTO send_mail_jobs (recipient) VALUES ('good'), ('bad'), ('slow')`)
    const served = work(
      async ({ recipient, attempts_count }) => {
        if (recipient === 'bad' && attempts_count === 1) throw new Error('mail server away')
        if (recipient === 'slow') await new Promise(() => {})
      },
      { backoff: linear({ delay: 0 }), timeout: 20, maxAttempts: 2 },
    )
    const ends = [next(served, 'succeeded', ofRecipient('bad')), next(served, 'timedOut', ofRecipient('slow'))]
    await served.start()
    await Promise.all(ends)
    await pool.query(`INSERT INTO send_mail_jobs (recipient) VALUES ('later')`)
    await next(served, 'succeeded', ofRecipient('later'))
    const { rows } = await pool.query(`SELECT recipient, status, attempts_count FROM send_mail_jobs ORDER BY recipient`)
    expect(rows).toEqual([
      { recipient: 'bad', status: 'job_status_succeeded', attempts_count: 2 },
      { recipient: 'good', status: 'job_status_succeeded', attempts_count: 1 },
      { recipient: 'later', status: 'job_status_succeeded', attempts_count: 1 },
      { recipient: 'slow', status: 'job_status_timed_out', attempts_count: 2 },
    ])
  })
})

describe('a table shared with a running worker of IHP 1.4 or older', () => {
  beforeEach(() => createIhpTriggers(db))

  test("IHP's own triggers wake our worker, long before it would poll", async () => {
    const served = work(async () => {}, { listen: url, pollInterval: '1h' })
    const listening = next(served, 'listener', ({ state }: { state: string }) => state === 'listening')
    await served.start()
    await listening
    const succeeded = next(served, 'succeeded')
    await pool.query(`INSERT INTO send_mail_jobs (recipient) VALUES ('ada')`)
    await succeeded
  })

  test('what IHP failed is run by us when its backoff has passed, and not before', async () => {
    const { id } = await add({ recipient: 'first' })
    const ihp = ihpWorker({ backoff: { exponential: 600 } })
    const job = await ihp.fetchNextJob()
    if (job === undefined) throw new Error('there is nothing to claim')
    await ihp.jobDidFail(job, new Error('mail server away'))
    const served = work(async () => {}, { seedBackoff: true, backoff: exponential({ delay: '10m' }) })
    const others = [next(served, 'succeeded', ofRecipient('second')), next(served, 'succeeded', ofRecipient('third'))]
    await served.start()
    await add({ recipient: 'second' })
    await others[0]
    await add({ recipient: 'third' })
    await others[1]
    expect(await row(id)).toMatchObject({ status: 'job_status_retry', attempts_count: 1 })
    const succeeded = next(served, 'succeeded', ofRecipient('first'))
    await db
      .updateTable('send_mail_jobs')
      .set({ updated_at: at('-11 minutes') })
      .where('id', '=', id)
      .execute()
    await succeeded
    expect(await row(id)).toMatchObject({ attempts_count: 2, last_error: 'Error: mail server away' })
  })

  test('what we failed is run by IHP when its backoff has passed, and not before', async () => {
    const { id } = await add()
    const served = work(() => Promise.reject(new Error('away')), { backoff: linear({ delay: '30s' }) })
    const retry = next(served, 'retry')
    await served.start()
    await retry
    await served.stop()
    const ihp = ihpWorker()
    expect(await ihp.fetchNextJob()).toBeUndefined()
    await db.updateTable('send_mail_jobs').set({ run_at: sql`run_at - interval '31 seconds'` }).execute()
    expect(await ihp.fetchNextJob()).toMatchObject({ id, attempts_count: 2 })
  })

  test('each side takes over what the other left when it was killed', async () => {
    const { id } = await abandoned()
    const served = work(async () => {})
    const succeeded = next(served, 'succeeded')
    await served.start()
    await succeeded
    await served.stop()
    expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 2 })
    const ours = await abandoned({ locked_by: served.id })
    expect(await ihpWorker({ timeoutInMicroseconds: 30_000_000 }).fetchNextJob()).toMatchObject({ id: ours.id })
  })
})

describe.each([
  ['1.4 or older', () => ihpWorker({ pollInterval: 5, maxAttempts: 1_000 }), { seedBackoff: true }],
  ['1.5 or later', () => modernWorker({ pollInterval: 5, maxAttempts: 1_000, backoff: { linear: 0 } }), {}],
])('a table shared with workers of IHP %s', (_, makeIhp, settings) => {
  beforeEach(() => createIhpTriggers(db))

  test('with both at work each job succeeds once, and what failed on one side is run by the other', async () => {
    const runs: { readonly id: string; readonly attempt: number; readonly by: string }[] = []
    /** Succeeds only where another side has failed. */
    const send = async (by: string, id: string, attempt: number) => {
      const before = runs.filter((run) => run.id === id)
      runs.push({ id, attempt, by })
      await pool.query('select 1')
      if (before.every((run) => run.by === by)) throw new Error('mail server away')
    }
    const served = work(({ id, attempts_count }) => send('kysely', id, attempts_count), {
      listen: url,
      ...settings,
      backoff: linear({ delay: 0 }),
      concurrency: 2,
      maxAttempts: 1_000,
    })
    const ihp = [makeIhp(), makeIhp()]
    onTestFinished(() => Promise.all(ihp.map((one) => one.stop())).then(() => {}))
    for (let i = 0; i < 8; i += 1) await add()
    for (const one of ihp) one.start(({ id, attempts_count }) => send('ihp', id, attempts_count))
    await served.start()
    const statuses = async () =>
      (await db.selectFrom('send_mail_jobs').select('status').distinct().execute()).map(({ status }) => status)
    await expect.poll(statuses, { timeout: 50_000 }).toEqual(['job_status_succeeded'])
    const ofJobs = [...Map.groupBy(runs, ({ id }) => id).values()]
    expect(ofJobs).toHaveLength(8)
    for (const ofJob of ofJobs) {
      expect(ofJob.map(({ attempt }) => attempt)).toEqual(ofJob.map((_, i) => i + 1))
      expect(new Set(ofJob.slice(0, -1).map(({ by }) => by)).size).toBe(1)
      expect(ofJob.at(-1)?.by).not.toBe(ofJob[0]?.by)
    }
  }, 60_000)
})
