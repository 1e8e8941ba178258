import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { createWorker, enqueue, linear, retryIn } from 'kysely-jobs'
import { fetchNextJobs, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { newWorkerId, tokensOf } from '../../src/schema/lease-token.js'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** A job as a worker that was killed leaves it. */
async function abandoned(to: string, values: { attempts?: number; interruptions?: number } = {}) {
  const { id } = await enqueue(db, 'mail_jobs', { to })
  await sql`update mail_jobs set status = 'job_status_running', locked_by = ${tokensOf(newWorkerId(1_000))[values.interruptions ?? 0]}, locked_at = now() - interval '1 hour',
    attempts_count = ${values.attempts ?? 1} where id = ${id}`.execute(db)
  return id
}

function worker(handler: Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2], options: object = {}) {
  const made = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('a job of a worker that is gone runs again, and is told of', async () => {
  const id = await abandoned('ada')
  const seen: number[] = []
  const rescuer = worker(async (_job, { attempt }) => {
    seen.push(attempt)
  })
  const rescued = next(rescuer, 'rescued')
  const succeeded = next(rescuer, 'succeeded')
  await rescuer.start()
  expect(await rescued).toEqual({ jobs: [{ id, attempt: 1, status: 'job_status_retry' }] })
  await succeeded
  expect(seen).toEqual([2])
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 2 }])
})

test('a worker looks for jobs of workers that are gone every third of its lease, however seldom it polls', async () => {
  const rescuer = worker(async () => {}, { lease: '1s', pollInterval: '1h' })
  const idle = next(rescuer, 'idle')
  await rescuer.start()
  await idle
  const succeeded = next(rescuer, 'succeeded')
  await abandoned('ada')
  await succeeded
})

test('all that a dead worker left is taken over at once, not a hundred jobs at each look', async () => {
  await sql`insert into mail_jobs ("to", status, locked_by, locked_at, attempts_count)
    select 'ada', 'job_status_running', gen_random_uuid(), now() - interval '1 hour', 1 from generate_series(1, 250)`.execute(
    db,
  )
  const rescuer = worker(async () => {}, { lease: '10m', pollInterval: '1h' })
  let count = 0
  const rescued = next(rescuer, 'rescued', ({ jobs }: { jobs: unknown[] }) => {
    count += jobs.length
    return count === 250
  })
  await rescuer.start()
  await rescued
})

test('a job that used up its attempts by killing its workers fails, and says so', async () => {
  await abandoned('ada', { attempts: 10 })
  const rescuer = worker(() => Promise.reject(new Error('it must not run')))
  const rescued = next(rescuer, 'rescued')
  await rescuer.start()
  await rescued
  expect(await rows()).toMatchObject([
    {
      status: 'job_status_failed',
      attempts_count: 10,
      last_error: expect.stringMatching(
        /^Lease expired \(1 in a row\): worker [0-9a-f-]{36} stopped renewing it during attempt 10/,
      ),
    },
  ])
})

test('a rescue honours a limit of attempts that depends on the job', async () => {
  await abandoned('ada', { attempts: 3 })
  await abandoned('bob', { attempts: 3 })
  const rescuer = worker(async () => {}, { maxAttempts: (job: { to: string }) => (job.to === 'ada' ? 3 : 4) })
  const succeeded = next(rescuer, 'succeeded')
  await rescuer.start()
  await succeeded
  expect(await rows()).toMatchObject([
    { status: 'job_status_failed' },
    { status: 'job_status_succeeded', attempts_count: 4 },
  ])
})

test('a job that was taken over twice runs alone, and the others go on after it', async () => {
  const running = new Set<string>()
  const together: string[][] = []
  await abandoned('suspect', { attempts: 2, interruptions: 1 })
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'b', 'c', 'd', 'e'].map((to) => ({ to })),
  )
  const crew = worker(async ({ to }) => {
    running.add(to)
    await new Promise((resolve) => setImmediate(resolve))
    together.push([...running])
    running.delete(to)
  })
  const idle = next(crew, 'idle', () => together.length === 6)
  await crew.start()
  await idle
  expect(together.filter((names) => names.includes('suspect'))).toEqual([['suspect']])
  expect((await rows()).map(({ status }) => status)).toEqual(Array(6).fill('job_status_succeeded'))
})

test('jobs that were interrupted once run side by side, and hold up no others', async () => {
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  for (const to of ['taken', 'taken', 'taken']) await abandoned(to)
  await enqueue(db, 'mail_jobs', [{ to: 'new' }, { to: 'new' }])
  const crew = worker(({ to }) => {
    begun.push(to)
    return to === 'taken' ? held.promise : undefined
  })
  await crew.start()
  await expect.poll(() => begun.toSorted()).toEqual(['new', 'new', 'taken', 'taken', 'taken'])
  held.resolve()
  await expect.poll(rows).toMatchObject(Array(5).fill({ status: 'job_status_succeeded' }))
})

test('a job that was interrupted once is never claimed ahead: it begins in a free slot, or waits for another worker', async () => {
  const held = Promise.withResolvers<void>()
  await sql`insert into mail_jobs ("to") select 'quick' from generate_series(1, 200)`.execute(db)
  for (let n = 0; n < 12; n++) await abandoned('taken')
  let begun = 0
  const crew = worker(
    ({ to }) => {
      if (to !== 'taken') return
      begun += 1
      return held.promise
    },
    { concurrency: 5, lease: '10m' },
  )
  await crew.start()
  await expect.poll(() => begun).toBe(5)
  const claimed = async () =>
    (await rows()).filter(({ to, status }) => to === 'taken' && status === 'job_status_running').length
  await expect.poll(claimed).toBe(5)
  held.resolve()
  await expect
    .poll(async () => (await rows()).filter(({ status }) => status === 'job_status_succeeded'))
    .toHaveLength(212)
  expect((await rows()).filter(({ to }) => to === 'taken').every(({ attempts_count }) => attempts_count === 2)).toBe(
    true,
  )
})

test('what a handler throws or says makes no suspect of its job', async () => {
  const text = 'Lease expired (9 in a row): worker x stopped renewing it'
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  await enqueue(db, 'mail_jobs', [{ to: 'long' }, { to: 'liar' }])
  const crew = worker(
    async ({ to }, { attempt }) => {
      begun.push(to)
      if (to === 'long') return held.promise
      if (attempt === 1) throw text
      if (attempt === 2) return retryIn(0, text)
    },
    { backoff: linear({ delay: 0 }) },
  )
  await crew.start()
  await expect.poll(() => begun.toSorted()).toEqual(['liar', 'liar', 'liar', 'long'])
  expect(crew.health().running).toBe(1)
  held.resolve()
})

test('a job that is alone and takes long holds its process for a lease, no longer', async () => {
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  await abandoned('suspect', { attempts: 2, interruptions: 1 })
  const crew = worker(
    ({ to }) => {
      begun.push(to)
      return to === 'suspect' ? held.promise : undefined
    },
    { lease: '1s' },
  )
  await crew.start()
  await expect.poll(() => begun).toEqual(['suspect'])
  const succeeded = next(crew, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'new' })
  await succeeded
  expect(begun).toEqual(['suspect', 'new'])
  held.resolve()
})

test('a worker with a short lease takes no job from one with a long lease that lives', async () => {
  const held = Promise.withResolvers<void>()
  const begun: number[] = []
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const handler = (_job: unknown, { attempt }: { attempt: number }) => {
    begun.push(attempt)
    return held.promise
  }
  const long = worker(handler, { lease: '10m' })
  await long.start()
  await expect.poll(() => begun).toEqual([1])
  await sql`update mail_jobs set locked_at = locked_at - interval '5 minutes'`.execute(db)
  const short = worker(handler, { lease: '1s' })
  await short.start()
  await rescue(db, 'mail_jobs', { lease: '1s', maxAttempts: 10 })
  const succeeded = next(long, 'succeeded')
  held.resolve()
  await succeeded
  expect(begun).toEqual([1])
})

test('a suspect waits a lease for handlers that go on and on, then begins beside them; nobody new does', async () => {
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  await enqueue(db, 'mail_jobs', { to: 'long' })
  const crew = worker(
    async ({ to }) => {
      begun.push(to)
      await held.promise
    },
    { lease: '3s', concurrency: 3 },
  )
  await crew.start()
  await expect.poll(() => begun).toEqual(['long'])
  await abandoned('suspect', { attempts: 2, interruptions: 1 })
  await expect.poll(() => begun, { timeout: 10_000 }).toEqual(['long', 'suspect'])
  await enqueue(db, 'mail_jobs', { to: 'new' })
  await rescue(db, 'mail_jobs', { lease: '1m', maxAttempts: 10 }) // time for a fetch, if there were one
  expect(begun).toEqual(['long', 'suspect'])
  held.resolve()
  await expect.poll(() => begun).toEqual(['long', 'suspect', 'new'])
  await expect.poll(rows).toMatchObject(Array(3).fill({ status: 'job_status_succeeded' }))
  expect((await rows()).map(({ attempts_count }) => attempts_count)).toEqual([1, 1, 2])
})

test('a suspect is alone also among the workers of its process: they release what they have not begun', async () => {
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  const handler = async ({ to }: { readonly to: string }) => {
    begun.push(to)
    if (to === 'suspect') await held.promise
  }
  await abandoned('suspect', { attempts: 2, interruptions: 1 })
  const crew = [worker(handler), worker(handler, { pollInterval: '10ms' })]
  for (const one of crew) await one.start()
  await expect.poll(() => begun).toContain('suspect')
  const before = begun.length
  await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }])
  await expect.poll(() => crew.map((one) => one.health().running)).toEqual(expect.arrayContaining([1, 0]))
  expect(begun).toHaveLength(before)
  expect((await rows()).filter(({ status }) => status === 'job_status_running')).toMatchObject([{ to: 'suspect' }])
  held.resolve()
  await expect.poll(rows).toMatchObject(Array(3).fill({ status: 'job_status_succeeded' }))
})

test('a job that was taken over does not wait behind all that became due with it', async () => {
  const [, , last] = await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }, { to: 'taken over' }])
  await sql`update mail_jobs set status = 'job_status_running', locked_by = gen_random_uuid(), locked_at = now() - interval '1 hour',
    attempts_count = 1 where id = ${last?.id}`.execute(db)
  await rescue(db, 'mail_jobs', { lease: '1m', maxAttempts: 10 })
  const [first] = await fetchNextJobs(db, 'mail_jobs', { worker: randomUUID(), limit: 1 })
  expect(first).toMatchObject({ to: 'taken over', attempts_count: 2 })
})

test('a suspect that ends its process takes no attempt from jobs that were claimed with it', async () => {
  const suspects = ['a', 'b', 'c', 'd']
  for (const to of suspects) await abandoned(to, { attempts: 2, interruptions: 1 })
  await enqueue(db, 'mail_jobs', [{ to: 'e' }, { to: 'f' }])
  const held = Promise.withResolvers<void>()
  const begun: string[] = []
  const crew = worker(
    async ({ to }) => {
      begun.push(to)
      if (suspects.includes(to)) await held.promise
    },
    { lease: '2s', pollInterval: '1h' },
  )
  const heldRows = async () => (await rows()).filter(({ status }) => status === 'job_status_running')
  await crew.start()
  await expect.poll(() => begun.filter((to) => suspects.includes(to)).length).toBe(1)
  expect((await heldRows()).map(({ to }) => to)).toEqual([begun.at(-1)])
  held.resolve()
  await expect.poll(rows, { timeout: 10_000 }).toMatchObject(Array(6).fill({ status: 'job_status_succeeded' }))
  expect((await rows()).map(({ attempts_count }) => attempts_count)).toEqual([2, 2, 2, 2, 1, 1])
})
