import { sql } from 'kysely'
import { fetchNextJob, type JobWatch, type PollOptions, pollForJob, watchForJob } from 'kysely-jobs/ihp'
import { isPending } from 'kysely-jobs/queue'
import { expect, onTestFinished, test } from 'vitest'
import { createIhpTriggers } from '../support/ihp-table.js'
import { at, next, quiet, sendMail, worker } from './send-mail.js'

const { db, url, add, abandoned, work } = await sendMail()

const triggers = async () =>
  (await sql<{ name: string }>`select oid, tgname as name from pg_trigger where not tgisinternal`.execute(db)).rows

const listeners = async () =>
  (
    await sql`select from pg_stat_activity where application_name = 'kysely-jobs listener' and datname = current_database()`.execute(
      db,
    )
  ).rows.length

const pending = async () => (await db.selectFrom('send_mail_jobs').select('id').where(isPending()).execute()).length

/** Counts calls, and lets a test await a certain one. */
function calls(work: () => Promise<unknown> = async () => {}) {
  let count = 0
  const waiting: { readonly wanted: number; readonly resolve: () => void }[] = []
  const onJob = async () => {
    count += 1
    for (const { wanted, resolve } of waiting) if (count >= wanted) resolve()
    await work()
  }
  return {
    onJob,
    get count() {
      return count
    },
    reach: (wanted: number) =>
      new Promise<void>((resolve) => (count >= wanted ? resolve() : waiting.push({ wanted, resolve }))),
  }
}

/** Claims until there is none, as a callback should. */
async function claimAll(): Promise<string[]> {
  const claimed: string[] = []
  for (let more = true; more; ) {
    const job = await fetchNextJob(db, 'send_mail_jobs', { worker })
    if (job !== undefined) claimed.push(job.id)
    more = job !== undefined
  }
  return claimed
}

const closing = <Watch extends JobWatch>(watch: Watch): Watch => {
  onTestFinished(() => watch.close())
  return watch
}
/** Watches, once its listener really listens. */
async function watching(onJob: () => unknown, options: PollOptions = {}): Promise<JobWatch> {
  const listening = Promise.withResolvers<void>()
  const logger = {
    ...quiet,
    info: (_facts: object, message: string) => message.endsWith('listener listening') && listening.resolve(),
  }
  const given = { listen: url, pollInterval: '1h', logger, ...options } as const
  const watch = closing(await watchForJob(db, 'send_mail_jobs', given, onJob))
  await listening.promise
  return watch
}
const polling = (onJob: () => unknown, options: PollOptions = {}) =>
  closing(pollForJob(db, 'send_mail_jobs', { pollInterval: '1h', logger: quiet, ...options }, onJob))

test('S18, D18: watching, or starting a worker, makes no trigger and touches none', async () => {
  const before = await triggers()
  const called = calls(claimAll)
  await add()
  await watching(called.onJob)
  await called.reach(1)
  await work(async () => {}).start()
  expect(await triggers()).toEqual(before)
})

test("S19: a notification of IHP's own trigger, whose payload is empty, means that a job is due now", async () => {
  await createIhpTriggers(db)
  const found = Promise.withResolvers<string[]>()
  const watch = await watching(async () => {
    const claimed = await claimAll()
    if (claimed.length > 0) found.resolve(claimed)
  })
  const { id } = await add()
  expect(await found.promise).toEqual([id])
  await watch.close()
})

test('S20, D34: while the callback is busy nobody calls it, and all that comes meanwhile is one more call', async () => {
  await createIhpTriggers(db)
  const gate = Promise.withResolvers<void>()
  const called = calls(() => (called.count === 1 ? gate.promise : claimAll()))
  const watch = await watching(called.onJob)
  await add()
  await called.reach(1)
  for (let i = 0; i < 20; i += 1) await add()
  gate.resolve()
  await expect.poll(pending, { timeout: 20_000 }).toBe(0)
  await watch.close()
  expect(called.count).toBe(2)
})

test('S21: a watch can be closed, and leaves neither a listener nor a poller', async () => {
  const called = calls()
  const watch = await watching(called.onJob, { pollInterval: 5 })
  expect(await listeners()).toBe(1)
  await watch.close()
  await watch.close()
  await expect.poll(listeners).toBe(0)
  await add()
  const others = calls()
  polling(others.onJob, { pollInterval: 5 })
  await others.reach(3)
  expect(called.count).toBe(0)
})

test('S22: a poll sees just what a claim would take', async () => {
  await abandoned({ locked_at: at('-1 minute') })
  await add({ run_at: at('1 hour') })
  await add({ status: 'job_status_succeeded' })
  const [deaf, keen] = [calls(), calls()]
  polling(deaf.onJob, { pollInterval: 5 })
  polling(keen.onJob, { pollInterval: 5, timeout: '30s' })
  await keen.reach(3)
  expect(deaf.count).toBe(0)
})

test('S23: the first poll is at once, and others follow', async () => {
  await add()
  const first = calls(claimAll)
  const once = polling(first.onJob)
  await first.reach(1)
  await once.close()
  const later = calls(claimAll)
  polling(later.onJob, { pollInterval: 5 })
  await add()
  await later.reach(1)
})

test('S24: what a callback leaves behind is offered again, until nothing is due', async () => {
  for (let i = 0; i < 4; i += 1) await add()
  const called = calls(() => fetchNextJob(db, 'send_mail_jobs', { worker }))
  polling(called.onJob)
  await expect.poll(pending, { timeout: 20_000 }).toBe(0)
  expect(called.count).toBe(4)
})

test('S27, D4: a job that becomes due is found when it is, without a trigger and long before the next poll', async () => {
  await add({ run_at: at('200 milliseconds') })
  const told = calls(claimAll)
  const watch = polling(told.onJob)
  await told.reach(1)
  await watch.close()
  await add({ run_at: at('200 milliseconds') })
  const served = work(async () => {}, { pollInterval: '1h' })
  const succeeded = next(served, 'succeeded')
  await served.start()
  await succeeded
})

test('D9: a job that came while nobody listened is found when the listener is back', async () => {
  await createIhpTriggers(db)
  const found = Promise.withResolvers<string[]>()
  await watching(async () => found.resolve(await claimAll()))
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kysely-jobs listener' and datname = current_database()`.execute(
    db,
  )
  const { id } = await add()
  expect(await found.promise).toEqual([id])
})

test('D10: neither an error of the database nor one of the callback ends a watch', async () => {
  const errors: string[] = []
  const failed = Promise.withResolvers<void>()
  const logger = {
    ...quiet,
    error: (facts: object) => {
      errors.push(String(Reflect.get(facts, 'err')))
      if (errors.length === 2) failed.resolve()
    },
  }
  const called = calls(() => (called.count === 1 ? Promise.reject(new Error('the callback broke')) : claimAll()))
  await sql`alter table send_mail_jobs rename to hidden`.execute(db)
  polling(called.onJob, { pollInterval: 5, logger })
  await expect.poll(() => errors.length).toBeGreaterThan(0)
  await sql`alter table hidden rename to send_mail_jobs`.execute(db)
  await add()
  await failed.promise
  await called.reach(2)
  expect(errors[0]).toContain('does not exist')
  await expect.poll(() => errors.at(-1)).toBe('Error: the callback broke')
})
