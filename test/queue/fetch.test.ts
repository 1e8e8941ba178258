import { type KyselyPlugin, OperationNodeTransformer, sql, type ValueNode } from 'kysely'
import { enqueue, exponential, linear } from 'kysely-jobs'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { claim, createMailJobs, jobs, other, rolledBack, worker } from './mail-jobs.js'

// who waits for a row that is to be passed over fails, and says so
const { db } = await testDatabase(createMailJobs, { pool: { options: '-c lock_timeout=3s' } })

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const ago = (time: string) => sql<Date>`now() - ${time}::interval`
const names = (rows: { to?: string }[]) => rows.map(({ to }) => to)

test('a claimed job is running, held by its worker, and one attempt further; the rest of it is untouched', async () => {
  const put = await enqueue(db, 'mail_jobs', { to: 'ada' })
  const [job, ...others] = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 5 })
  expect(others).toEqual([])
  expect(job).toEqual({
    ...put,
    status: 'job_status_running',
    attempts_count: 1,
    locked_by: worker,
    locked_at: expect.any(Date),
  })
  expect(await jobs(db)).toEqual([job])
})

test('only claimable jobs are claimed: pending, due and unlocked', async () => {
  await db
    .insertInto('mail_jobs')
    .values([
      { to: 'due' },
      { to: 'again', status: 'job_status_retry', attempts_count: 3 },
      { to: 'later', run_at: sql`now() + interval '1 second'` },
      { to: 'never', run_at: 'infinity' },
      { to: 'locked', locked_by: other },
      { to: 'running', status: 'job_status_running', locked_by: other },
      { to: 'done', status: 'job_status_succeeded' },
      { to: 'failed', status: 'job_status_failed' },
      { to: 'slow', status: 'job_status_timed_out' },
      { to: 'cancelled', status: 'job_status_cancelled' },
    ])
    .execute()
  expect((await claim(db, 20)).map(({ to, attempt }) => `${to} ${attempt}`).toSorted()).toEqual(['again 4', 'due 1'])
  expect(await claim(db, 20)).toEqual([])
})

test('the earliest run_at comes first, and no more jobs than asked for', async () => {
  for (const [to, since] of [
    ['third', '1 min'],
    ['first', '3 min'],
    ['second', '2 min'],
  ] as const) {
    await enqueue(db, 'mail_jobs', { to, run_at: ago(since) })
  }
  expect(names(await claim(db, 2))).toEqual(['first', 'second'])
  expect(names(await claim(db, 2))).toEqual(['third'])
  expect(await claim(db, 2)).toEqual([])
})

test('a higher priority runs first, whatever the order of run_at, when asked for', async () => {
  await enqueue(db, 'mail_jobs', [
    { to: 'low', priority: -5, run_at: ago('1 day') },
    { to: 'high, later', priority: 9, run_at: ago('1 min') },
    { to: 'plain', run_at: ago('1 h') },
    { to: 'high, earlier', priority: 9, run_at: ago('2 min') },
    { to: 'highest, but not due', priority: 10, run_at: sql`now() + interval '1 h'` },
  ])
  const fetch = (limit: number) =>
    fetchNextJobs(db, 'mail_jobs', { worker, limit, columns: ['priority', 'started_at'] })
  expect(names(await fetch(3))).toEqual(['high, earlier', 'high, later', 'plain'])
  expect(names(await fetch(3))).toEqual(['low'])
})

test('when it started is written where asked for', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const [job] = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1, columns: ['started_at'] })
  expect(job).toMatchObject({ started_at: expect.any(Date) })
})

test('a job that another transaction holds locked is passed over, not waited for', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'held', run_at: ago('1 h') }, { to: 'free' }])
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').select('id').where('to', '=', 'held').forUpdate().execute()
    expect(names(await claim(db, 5))).toEqual(['free'])
  })
  expect(names(await claim(db, 5))).toEqual(['held'])
})

test("a claim in the user's transaction is undone with it", async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const before = await jobs(db)
  await rolledBack(db, async (trx) => expect(await claim(trx, 5)).toHaveLength(1))
  expect(await jobs(db)).toEqual(before)
})

test('a job of an IHP worker in retry waits for the backoff since its failure; a new one does not', async () => {
  const failed = { status: 'job_status_retry', attempts_count: 2, updated_at: ago('50 s') }
  const claimedWith = async (retryBackoff: ReturnType<typeof linear>) => {
    await db.deleteFrom('mail_jobs').execute()
    await db
      .insertInto('mail_jobs')
      .values({ to: 'retry', ...failed })
      .execute()
    await enqueue(db, 'mail_jobs', { to: 'new' })
    return names(await fetchNextJobs(db, 'mail_jobs', { worker, limit: 5, retryBackoff })).toSorted()
  }
  expect(await claimedWith(linear({ delay: '60s' }))).toEqual(['new'])
  expect(await claimedWith(linear({ delay: '40s' }))).toEqual(['new', 'retry'])
  expect(await claimedWith(exponential({ delay: '40s' }))).toEqual(['new'])
})

test('sixteen connections claim 2,000 jobs, each of them once', async () => {
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 2000 }, (_, n) => ({ to: String(n), priority: n % 3 })),
  )
  const workers = Array.from({ length: 16 }, () => crypto.randomUUID())
  const claimed = await Promise.all(
    workers.map(async (id, index) => {
      const own: string[] = []
      const options = { worker: id, limit: 5 + index, ...(index % 2 && { columns: ['priority' as const] }) }
      for (;;) {
        const rows = await fetchNextJobs(db, 'mail_jobs', options)
        if (rows.length === 0) return own
        for (const row of rows) own.push(`${row.to} ${row.attempts_count} ${row.locked_by === id}`)
      }
    }),
  )
  const all = Array.from({ length: 2000 }, (_, n) => `${n} 1 true`)
  expect(claimed.flat().toSorted()).toEqual(all.toSorted())
  const { rows } = await sql`
    select status, count(*)::int as count, max(attempts_count) as most from mail_jobs group by status`.execute(db)
  expect(rows).toEqual([{ status: 'job_status_running', count: 2000, most: 1 }])
})

/** Writes every parameter that is an object as text, as plugins for jsonb columns do. */
const asTexts = new (class extends OperationNodeTransformer {
  protected override transformValue(node: ValueNode): ValueNode {
    const { value } = node
    if (value instanceof Date) return { ...node, value: value.toISOString() }
    return { ...node, value: typeof value === 'object' ? JSON.stringify(value) : value }
  }
})()

const textPlugin: KyselyPlugin = {
  transformQuery: ({ node }) => asTexts.transformNode(node),
  transformResult: async ({ result }) => result,
}

test('a plugin that writes parameters in its own way gets those of each fetch', async () => {
  const puts = ['5 min', '4 min', '3 min'].map((time) => ({ to: time, run_at: ago(time) }))
  await db.insertInto('mail_jobs').values(puts).execute()
  const dueSince = new Date(Date.now() - 270_000)
  const own = db.withPlugin(textPlugin)
  expect(names(await fetchNextJobs(own, 'mail_jobs', { worker, limit: 1, dueSince }))).toEqual(['4 min'])
  expect(names(await fetchNextJobs(own, 'mail_jobs', { worker, limit: 1 }))).toEqual(['5 min'])
})
