import { sql } from 'kysely'
import { exponential } from 'kysely-jobs'
import { type Lease, type LeasedOutcome, release, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { concernsAll } from '../../src/pg/error-class.js'
import { testDatabase } from '../support/database.js'
import { age, claim, claimed, createMailJobs, jobs, other, rolledBack, worker } from './mail-jobs.js'

const { db } = await testDatabase(createMailJobs)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const columns = ['result', 'finished_at', 'errors'] as const

/** Writes one outcome for one claimed job, and gives the row. */
async function settled(ending: object, options: object = {}) {
  const [lease] = await claimed(db, 'ada')
  const outcome = { ...lease, ...ending } as LeasedOutcome
  expect(await settle(db, 'mail_jobs', [outcome], { worker, columns, ...options })).toEqual([outcome])
  const [row] = await jobs(db)
  expect(row).toMatchObject({ locked_by: null })
  return row
}

/** Milliseconds from the moment of writing until a job is due. */
async function wait(): Promise<number> {
  const { rows } = await sql<{ wait: number }>`
    select round(extract(epoch from run_at - updated_at) * 1000)::int as wait from mail_jobs`.execute(db)
  return rows[0]?.wait ?? Number.NaN
}

test('succeeded: final, unlocked, with its result and when it ended', async () => {
  expect(await settled({ kind: 'succeeded', result: { sent: true } })).toMatchObject({
    status: 'job_status_succeeded',
    attempts_count: 1,
    result: { sent: true },
    finished_at: expect.any(Date),
    last_error: null,
    errors: null,
  })
})

test('retry: waits for its backoff, half a minute unless said otherwise, and tells why', async () => {
  expect(await settled({ kind: 'retry', error: 'no route' })).toMatchObject({
    status: 'job_status_retry',
    attempts_count: 1,
    last_error: 'no route',
    finished_at: null,
  })
  expect(await wait()).toBe(30_000)
})

test('a retry takes the backoff of the settle, and its own delay before that', async () => {
  await settled({ kind: 'retry', error: 'no' }, { backoff: exponential({ delay: '7s' }) })
  expect(await wait()).toBe(7000)
  await db.deleteFrom('mail_jobs').execute()
  await settled({ kind: 'retry', error: 'no', delay: 1500 }, { backoff: exponential({ delay: '7s' }) })
  expect(await wait()).toBe(1500)
})

test.each(['failed', 'timed_out'])('%s: final, with its reason', async (kind) => {
  expect(await settled({ kind, error: 'gave up' })).toMatchObject({
    status: `job_status_${kind}`,
    last_error: 'gave up',
    finished_at: expect.any(Date),
    errors: [{ attempt: 1, error: 'gave up', at: expect.any(String) }],
  })
})

test('snoozed: later, and the attempt is handed back', async () => {
  expect(await settled({ kind: 'snoozed', delay: 60_000 })).toMatchObject({
    status: 'job_status_not_started',
    attempts_count: 0,
    last_error: null,
  })
  expect(await wait()).toBe(60_000)
})

test('a snooze after a failed attempt is in retry again, its error kept', async () => {
  await settled({ kind: 'retry', error: 'no' })
  await age(db, '1 h')
  const [lease] = await claim(db, 1)
  await settle(db, 'mail_jobs', [{ id: lease?.id ?? '', attempt: 2, kind: 'snoozed', delay: 1000 }], { worker })
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_retry', attempts_count: 1, last_error: 'no' }])
})

test('cancelled: final on purpose; in a table of six statuses it failed, and says the same', async () => {
  const ending = { kind: 'cancelled', reason: 'the user left' }
  const row = { last_error: 'Cancelled: the user left', finished_at: expect.any(Date), errors: null }
  expect(await settled(ending)).toMatchObject({ status: 'job_status_cancelled', ...row })
  await db.deleteFrom('mail_jobs').execute()
  expect(await settled(ending, { seedStatuses: true })).toMatchObject({ status: 'job_status_failed', ...row })
})

test('released: as if it had not been claimed, and due at once', async () => {
  const leases = await claimed(db, 'ada', 'bob')
  expect(await release(db, 'mail_jobs', leases, { worker })).toHaveLength(2)
  expect(await jobs(db)).toMatchObject(
    Array(2).fill({ status: 'job_status_not_started', attempts_count: 0, locked_by: null }),
  )
  expect(await claim(db, 5)).toHaveLength(2)
})

test('each job of a batch gets its own error, delay and result', async () => {
  const people = Array.from({ length: 300 }, (_, n) => `person ${String(n).padStart(3, '0')}`)
  const leases = await claimed(db, ...people)
  const outcomes = leases.map(
    (lease, n): LeasedOutcome =>
      n % 2 === 0
        ? { ...lease, kind: 'retry', error: `error ${n}`, delay: n * 1000 }
        : { ...lease, kind: 'succeeded', ...(n % 3 === 0 && { result: n }) },
  )
  expect(await settle(db, 'mail_jobs', outcomes, { worker, columns })).toHaveLength(300)
  const rows = await db
    .selectFrom('mail_jobs')
    .select(['last_error', 'result', sql<number>`round(extract(epoch from run_at - updated_at))::int`.as('wait')])
    .orderBy('to')
    .execute()
  for (const [n, row] of rows.entries()) {
    if (n % 2 === 0) expect(row).toEqual({ last_error: `error ${n}`, result: null, wait: n })
    else expect(row).toMatchObject({ last_error: null, result: n % 3 === 0 ? n : null })
  }
})

test('a batch may mix all kinds and attempts, and goes in one transaction, all or none', async () => {
  const [a, b, c, d] = await claimed(db, 'a', 'b', 'c', 'd')
  const outcomes: LeasedOutcome[] = [
    { ...a, kind: 'succeeded', result: 1 },
    { ...b, kind: 'failed', error: 'no' },
    { ...c, kind: 'snoozed', delay: 5 },
    { ...d, kind: 'retry', error: 'a NUL: \0' },
  ]
  await expect(settle(db, 'mail_jobs', outcomes, { worker, columns })).rejects.toThrow('invalid byte sequence')
  expect((await jobs(db)).map(({ status }) => status)).toEqual(Array(4).fill('job_status_running'))
  outcomes[3] = { ...d, kind: 'cancelled', reason: 'enough' }
  expect(await settle(db, 'mail_jobs', outcomes, { worker, columns })).toEqual(outcomes)
  expect((await jobs(db)).map(({ status }) => status)).toEqual(
    ['succeeded', 'failed', 'not_started', 'cancelled'].map((status) => `job_status_${status}`),
  )
})

test('the history of errors grows by one entry for each failed attempt', async () => {
  const [lease] = await claimed(db, 'ada')
  await settle(db, 'mail_jobs', [{ ...lease, kind: 'retry', error: 'first' }], { worker, columns })
  await age(db, '1 h')
  const [again] = await claim(db, 1)
  await settle(db, 'mail_jobs', [{ ...(again as Lease), kind: 'timed_out', error: 'second' }], { worker, columns })
  const [row] = await jobs(db)
  expect(row.errors).toMatchObject([
    { attempt: 1, error: 'first' },
    { attempt: 2, error: 'second' },
  ])
})

test('a late worker changes nothing: another worker, an earlier attempt, a job settled already', async () => {
  const [lease] = await claimed(db, 'ada')
  const before = await jobs(db)
  const outcome: LeasedOutcome = { ...lease, kind: 'succeeded' }
  expect(await settle(db, 'mail_jobs', [outcome], { worker: other })).toEqual([])
  expect(await settle(db, 'mail_jobs', [{ ...outcome, attempt: 2 }], { worker })).toEqual([])
  expect(await settle(db, 'mail_jobs', [{ ...outcome, attempt: 0 }], { worker })).toEqual([])
  expect(await jobs(db)).toEqual(before)
  await settle(db, 'mail_jobs', [{ ...lease, kind: 'failed', error: 'no' }], { worker })
  const failed = await jobs(db)
  expect(await settle(db, 'mail_jobs', [outcome], { worker })).toEqual([])
  expect(await jobs(db)).toEqual(failed)
})

test('of a batch those that are still held are written, the others left alone and left out', async () => {
  const [mine, lost] = await claimed(db, 'mine', 'lost')
  await db.updateTable('mail_jobs').set({ locked_by: other, attempts_count: 2 }).where('id', '=', lost.id).execute()
  const outcomes = [mine, lost].map((lease) => ({ ...lease, kind: 'succeeded' }) as const)
  expect(await settle(db, 'mail_jobs', outcomes, { worker })).toEqual([outcomes[0]])
  expect(await jobs(db)).toMatchObject([
    { to: 'lost', status: 'job_status_running', locked_by: other, attempts_count: 2 },
    { to: 'mine', status: 'job_status_succeeded' },
  ])
})

test('succeeded jobs may be deleted: those that are still held, the others left alone and left out', async () => {
  const [mine, lost, late, failing] = await claimed(db, 'mine', 'lost', 'late', 'failing')
  await db.updateTable('mail_jobs').set({ locked_by: other }).where('id', '=', lost.id).execute()
  await db.updateTable('mail_jobs').set({ attempts_count: 2 }).where('id', '=', late.id).execute()
  const outcomes: LeasedOutcome[] = [
    ...[mine, lost, late].map((lease) => ({ ...lease, kind: 'succeeded', result: 1 }) as const),
    { ...failing, kind: 'failed', error: 'no' },
  ]
  const written = await settle(db, 'mail_jobs', outcomes, { worker, columns, succeeded: 'delete' })
  expect(written).toEqual([outcomes[0], outcomes[3]])
  expect(await jobs(db)).toMatchObject([
    { to: 'failing', status: 'job_status_failed', last_error: 'no' },
    { to: 'late', status: 'job_status_running', attempts_count: 2 },
    { to: 'lost', status: 'job_status_running', locked_by: other },
  ])
})

test("in the user's transaction it is undone with it", async () => {
  const [lease] = await claimed(db, 'ada')
  const before = await jobs(db)
  const outcomes: LeasedOutcome[] = [
    { ...lease, kind: 'succeeded' },
    { id: crypto.randomUUID(), attempt: 1, kind: 'failed', error: '' },
  ]
  await rolledBack(db, async (trx) => expect(await settle(trx, 'mail_jobs', outcomes, { worker })).toHaveLength(1))
  expect(await jobs(db)).toEqual(before)
})

test('no outcomes are no statement', async () => {
  expect(await settle(db, 'no_such_table', [], { worker })).toEqual([])
})

test('what goes with an outcome is done in its transaction, and only where the outcome was written', async () => {
  await sql`create table notes (text text unique)`.execute(db)
  const leases = await claimed(db, 'ada', 'bob', 'cyd')
  await sql`update mail_jobs set locked_by = ${other} where id = ${leases[1]?.id}`.execute(db) // lost
  const outcomes = leases.map(
    (lease, n): LeasedOutcome => ({
      ...lease,
      kind: 'succeeded',
      effect: async (trx) => {
        // its own row is written by then
        await sql`insert into notes select ${`${n}: `} || status from mail_jobs where id = ${lease.id}`.execute(trx)
      },
    }),
  )
  expect(await settle(db, 'mail_jobs', outcomes, { worker })).toEqual([outcomes[0], outcomes[2]])
  const notes = () => sql`select text from notes order by text`.execute(db)
  expect((await notes()).rows).toEqual([{ text: '0: job_status_succeeded' }, { text: '2: job_status_succeeded' }])
  await sql`delete from notes`.execute(db)
})

test('an effect that fails undoes its outcome, as an error that concerns no other', async () => {
  const [lease] = await claimed(db, 'ada')
  const cause = Object.assign(new Error('no such table'), { code: '42P01' })
  const outcome = { ...(lease as Lease), kind: 'failed', error: 'no', effect: () => Promise.reject(cause) } as const
  const failed: unknown = await settle(db, 'mail_jobs', [outcome], { worker }).catch((error) => error)
  expect(failed).toMatchObject({ code: 'EFFECT', cause })
  expect(concernsAll(failed)).toBe(false)
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_running', locked_by: worker }])
})

test('a result that was made JSON before is stored as it is', async () => {
  const spoiled = { kind: 'succeeded', result: { a: 1n }, json: '{"a": 1}' }
  expect(await settled(spoiled)).toMatchObject({ status: 'job_status_succeeded', result: { a: 1 } })
})
