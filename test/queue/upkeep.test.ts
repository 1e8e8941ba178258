import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { findExpired, heartbeat, jobStates, nextDueAt, release, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { age, claim, claimed, createMailJobs, jobs, other, worker } from './mail-jobs.js'

// who waits for a row that is to be passed over fails, and says so
const { db } = await testDatabase(createMailJobs, { pool: { options: '-c lock_timeout=3s' } })

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const lockedAgo = async () => {
  const seconds = sql<number>`round(extract(epoch from clock_timestamp() - locked_at))::int`.as('seconds')
  return (await db.selectFrom('mail_jobs').select(seconds).orderBy('to').execute()).map((row) => row.seconds)
}

test('a heartbeat renews the leases that are held, of any attempt, and gives them back', async () => {
  const [a, b, c] = await claimed(db, 'a', 'b', 'c')
  await db.updateTable('mail_jobs').set({ attempts_count: 4 }).where('to', '=', 'b').execute()
  await db.updateTable('mail_jobs').set({ locked_by: other }).where('to', '=', 'c').execute()
  await age(db, '1000 s')
  expect(await heartbeat(db, 'mail_jobs', [a, { ...b, attempt: 4 }, c], { worker })).toEqual([a, { ...b, attempt: 4 }])
  expect(await lockedAgo()).toEqual([0, 0, 1000])
  expect(await heartbeat(db, 'mail_jobs', [{ ...a, attempt: 2 }], { worker })).toEqual([])
  expect(await heartbeat(db, 'mail_jobs', [], { worker })).toEqual([])
})

test('a heartbeat passes over a row that a transaction holds, and renews the others', async () => {
  const [a, b] = await claimed(db, 'a', 'b')
  await db.transaction().execute(async (trx) => {
    await trx.updateTable('mail_jobs').set({ result: '1' }).where('id', '=', a.id).execute()
    expect(await heartbeat(db, 'mail_jobs', [a, b], { worker })).toEqual([b])
  })
})

test('a heartbeat touches no index: its updates are HOT where the page has room', async () => {
  const leases = await claimed(db, ...Array.from({ length: 50 }, (_, n) => `person ${n}`))
  await sql`vacuum full mail_jobs`.execute(db) // leaves the room that the fillfactor asks for
  await db.connection().execute(async (connection) => {
    const written = async () => {
      const { rows } = await sql<{ all: number; hot: number }>`
        select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_xact_user_tables where relname = 'mail_jobs'`.execute(
        connection,
      )
      return rows[0] ?? { all: 0, hot: 0 }
    }
    await sql`begin`.execute(connection)
    const before = await written()
    await heartbeat(connection, 'mail_jobs', leases.slice(0, 5), { worker })
    const after = await written()
    await sql`commit`.execute(connection)
    expect([after.all - before.all, after.hot - before.hot]).toEqual([5, 5])
  })
})

test('what was not held is not released', async () => {
  const [a, b] = await claimed(db, 'a', 'b')
  expect(await release(db, 'mail_jobs', [{ ...a, attempt: 2 }], { worker })).toEqual([])
  expect(await release(db, 'mail_jobs', [b], { worker: other })).toEqual([])
  expect(await jobs(db)).toMatchObject(Array(2).fill({ status: 'job_status_running', attempts_count: 1 }))
})

test('a rescue takes what was not renewed for a lease: in retry and due, with a word of what happened', async () => {
  const [lease] = await claimed(db, 'ada')
  await age(db, '61 s')
  expect(await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 2, columns: ['errors', 'finished_at'] })).toEqual([
    { id: lease.id, attempt: 1, status: 'job_status_retry' },
  ])
  const error = `Lease expired (1 in a row): worker ${worker} stopped renewing it during attempt 1; it was killed, cut off or blocked`
  expect(await jobs(db)).toMatchObject([
    { status: 'job_status_retry', attempts_count: 1, locked_by: null, last_error: error, finished_at: null },
  ])
  expect((await jobs(db))[0].errors).toMatchObject([{ attempt: 1, error }])
  expect(await claim(db, 5, other)).toMatchObject([{ attempt: 2 }])
})

test('a job whose attempts are used up ends as failed', async () => {
  await claimed(db, 'ada')
  await age(db, '61 s')
  await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 1, columns: ['finished_at'] })
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_failed', finished_at: expect.any(Date) }])
})

test('the limit of the row comes before the limit of the rescue', async () => {
  await claimed(db, 'all', 'one', 'two')
  await db.updateTable('mail_jobs').set({ max_attempts: 1 }).where('to', '=', 'one').execute()
  await db.updateTable('mail_jobs').set({ max_attempts: 2 }).where('to', '=', 'two').execute()
  await age(db, '61 s')
  await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 1, columns: ['max_attempts'] })
  expect((await jobs(db)).map(({ status }) => status)).toEqual([
    'job_status_failed',
    'job_status_failed',
    'job_status_retry',
  ])
})

test('a rescue leaves alone what is renewed, what another transaction holds, and what it was not told of', async () => {
  const [renewed, held, , taken] = await claimed(db, 'a renewed', 'b held', 'c untold', 'd taken')
  await age(db, '61 s')
  await heartbeat(db, 'mail_jobs', [renewed], { worker })
  const only = [renewed, held, taken]
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('mail_jobs').select('id').where('id', '=', held.id).forUpdate().execute()
    expect(await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 5, only })).toMatchObject([{ id: taken.id }])
  })
  const expired = await findExpired(db, 'mail_jobs', { lease: '60s' })
  expect(expired.map(({ to }) => to).toSorted()).toEqual(['b held', 'c untold'])
})

test('a rescue takes a hundred at most, and two at once never the same', async () => {
  await claimed(db, ...Array.from({ length: 150 }, (_, n) => `person ${n}`))
  await age(db, '61 s')
  const options = { lease: '60s', maxAttempts: 5 } as const
  const taken = await Promise.all([rescue(db, 'mail_jobs', options), rescue(db, 'mail_jobs', options)])
  const left = await rescue(db, 'mail_jobs', options)
  for (const chunk of taken) expect(chunk.length).toBeLessThanOrEqual(100)
  expect(new Set([...taken.flat(), ...left].map(({ id }) => id)).size).toBe(150)
  expect(taken.flat().length + left.length).toBe(150)
})

test('the worker whose job was rescued has lost it', async () => {
  const [lease] = await claimed(db, 'ada')
  await age(db, '61 s')
  await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 5 })
  expect(await heartbeat(db, 'mail_jobs', [lease], { worker })).toEqual([])
})

test('where jobs stand: status, holder, attempt, last error; those that are gone are left out', async () => {
  const [ada, ben] = await claimed(db, 'ada', 'ben')
  await db.deleteFrom('mail_jobs').where('id', '=', ben.id).execute()
  expect(await jobStates(db, 'mail_jobs', [ada.id, ben.id, crypto.randomUUID()])).toEqual([
    { id: ada.id, status: 'job_status_running', worker, attempt: 1, lastError: null },
  ])
  expect(await jobStates(db, 'mail_jobs', [])).toEqual([])
})

test('the next due time: nothing waits, something is due, something will be; the highest priority has no say', async () => {
  const next = async () => [
    await nextDueAt(db, 'mail_jobs'),
    await nextDueAt(db, 'mail_jobs', { columns: ['priority'] }),
  ]
  expect(await next()).toEqual([undefined, undefined])
  await enqueue(db, 'mail_jobs', { to: 'never', run_at: 'infinity' })
  expect(await next()).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
  await enqueue(db, 'mail_jobs', { to: 'later', priority: 9 }, { delay: '2h' })
  await enqueue(db, 'mail_jobs', { to: 'sooner', priority: -9 }, { delay: '1h' })
  for (const due of await next()) {
    expect(due).toBeGreaterThan(3_500_000)
    expect(due).toBeLessThanOrEqual(3_600_000)
  }
  await enqueue(db, 'mail_jobs', { to: 'now' })
  for (const due of await next()) expect(due).toBeLessThanOrEqual(0)
})

test('what runs, has ended, or is locked by a hand is not waited for', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }, { to: 'c' }])
  await claim(db, 2)
  await db.updateTable('mail_jobs').set({ locked_by: other }).where('status', '=', 'job_status_not_started').execute()
  expect(await nextDueAt(db, 'mail_jobs')).toBeUndefined()
})
