import { type BackoffRule, exponential, linear } from 'kysely-jobs'
import { fetchNextJob, jobDidFail } from 'kysely-jobs/ihp'
import { isRetryDue } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { at, quiet, sendMail, worker } from './send-mail.js'

const { db, add, row } = await sendMail()

/** Whether a row whose attempt failed so long ago is due, as the seed asks. */
async function isDueAfter(rule: BackoffRule, attempts: number, age: string): Promise<boolean> {
  const { id } = await add({ status: 'job_status_retry', attempts_count: attempts, updated_at: at(`-${age}`) })
  const due = await db.selectFrom('send_mail_jobs').select('id').where('id', '=', id).where(isRetryDue(rule)).execute()
  return due.length > 0
}

/** Seconds that a retry waits after so many attempts. */
async function waitAfter(rule: BackoffRule, attempts: number): Promise<number> {
  await db.deleteFrom('send_mail_jobs').execute()
  await add({ status: 'job_status_retry', attempts_count: attempts - 1 })
  const job = await fetchNextJob(db, 'send_mail_jobs', { worker })
  if (job === undefined) throw new Error('there is nothing to claim')
  await jobDidFail(db, 'send_mail_jobs', job, new Error('away'), {
    backoff: rule,
    logger: quiet,
    maxAttempts: Number.POSITIVE_INFINITY,
  })
  const { run_at, updated_at } = await row(job.id)
  return Math.round((run_at.getTime() - updated_at.getTime()) / 1000)
}

test('S46, D1: a linear backoff is the same delay after each attempt, and it really waits', async () => {
  const rule = linear({ delay: '30s' })
  expect([await waitAfter(rule, 1), await waitAfter(rule, 2), await waitAfter(rule, 9)]).toEqual([30, 30, 30])
  expect(await isDueAfter(rule, 3, '29 seconds')).toBe(false)
  expect(await isDueAfter(rule, 3, '31 seconds')).toBe(true)
})

test('S47, D2: an exponential backoff is the delay, then twice the one before', async () => {
  const rule = exponential({ delay: '5s' })
  expect([await waitAfter(rule, 1), await waitAfter(rule, 2), await waitAfter(rule, 4)]).toEqual([5, 10, 40])
  expect(await isDueAfter(rule, 1, '4 seconds')).toBe(false)
  expect(await isDueAfter(rule, 1, '6 seconds')).toBe(true)
  expect(await isDueAfter(rule, 4, '39 seconds')).toBe(false)
  expect(await isDueAfter(rule, 4, '41 seconds')).toBe(true)
})

test('D2: after any number of attempts a backoff is a day at most, and breaks no claim of another row', async () => {
  const rule = exponential({ delay: '30s' })
  for (const attempts of [35, 40, 1_000_000]) expect(await waitAfter(rule, attempts)).toBe(86_400)
  for (const attempts of [35, 40, 2_000_000_000]) await add({ status: 'job_status_retry', attempts_count: attempts })
  const { id } = await add({ run_at: at('-1 second') })
  expect(await fetchNextJob(db, 'send_mail_jobs', { worker, backoff: rule })).toMatchObject({ id })
})

test('D3: an update of a row in retry does not postpone it', async () => {
  await add()
  const job = await fetchNextJob(db, 'send_mail_jobs', { worker })
  if (job === undefined) throw new Error('there is nothing to claim')
  await jobDidFail(db, 'send_mail_jobs', job, new Error('away'), { backoff: linear({ delay: 0 }), logger: quiet })
  await db
    .updateTable('send_mail_jobs')
    .set({ recipient: 'bob', updated_at: at('1 hour') })
    .execute()
  expect(await fetchNextJob(db, 'send_mail_jobs', { worker })).toMatchObject({ id: job.id, recipient: 'bob' })
})
