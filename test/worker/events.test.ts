import { sql } from 'kysely'
import { cancel, createWorker, enqueue, FatalError, snooze } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

interface Told {
  readonly job: { readonly to: string }
  readonly wait: number
  readonly duration: number
}

test('outcomes are told with how long the job waited since it was due, and how long its handler ran', async () => {
  const handlers: Record<string, () => unknown> = {
    succeeded: () => {},
    retry: () => Promise.reject(new Error('away')),
    failed: () => Promise.reject(new FatalError('no')),
    snoozed: () => snooze('1h'),
    cancelled: () => cancel(),
  }
  const jobs = Object.keys(handlers).map((to) => ({ to }))
  await enqueue(db, 'mail_jobs', jobs)
  await sql`update mail_jobs set run_at = now() - interval '90 seconds'`.execute(db)
  const worker = createWorker(
    db,
    'mail_jobs',
    async ({ to }) => {
      const end = performance.now() + 20
      while (performance.now() < end);
      return handlers[to]?.()
    },
    { logger: quiet, concurrency: 1 },
  )
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const told = jobs.map(({ to }) => next<Told>(worker, to, ({ job }) => job.to === to))
  await worker.start()
  for (const { wait, duration } of await Promise.all(told)) {
    expect(wait).toBeGreaterThanOrEqual(90_000)
    expect(wait).toBeLessThan(600_000)
    expect(duration).toBeGreaterThanOrEqual(20)
    expect(duration).toBeLessThan(60_000)
  }
})
