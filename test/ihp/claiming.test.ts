import { sql } from 'kysely'
import { createWorker, exponential, JobTableError, linear } from 'kysely-jobs'
import { fetchNextJob } from 'kysely-jobs/ihp'
import { isLeaseExpired } from 'kysely-jobs/queue'
import { describe, expect, test } from 'vitest'
import { at, otherWorker, sendMail, worker } from './send-mail.js'

const { db, add, abandoned, row } = await sendMail()

const fetch = (options: Partial<Parameters<typeof fetchNextJob>[2]> = {}) =>
  fetchNextJob(db, 'send_mail_jobs', { worker, ...options })

test('S1: fetchNextJob takes a worker, and perhaps a timeout and a backoff, and gives one row or none', async () => {
  const { id } = await add()
  await add()
  expect(await fetch({ timeout: '30s', backoff: linear({ delay: '30s' }) })).toMatchObject({ id, recipient: 'ada' })
  expect(await fetch()).toBeDefined()
  expect(await fetch()).toBeUndefined()
})

test('S2: however many claim at once, no two claim the same row', async () => {
  for (let i = 0; i < 8; i += 1) await add()
  const claimed = await Promise.all(Array.from({ length: 16 }, () => fetch()))
  const ids = claimed.flatMap((job) => job?.id ?? [])
  expect(new Set(ids).size).toBe(8)
  expect(ids).toHaveLength(8)
})

test('S3: a claim writes status, locked_at, locked_by and attempts_count, and nothing else', async () => {
  const before = await add({
    status: 'job_status_retry',
    last_error: 'away',
    attempts_count: 2,
    created_at: at('-1 day'),
  })
  const { rows: start } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db)
  const job = await fetch()
  const after = await row(before.id)
  expect(after).toEqual({
    ...before,
    status: 'job_status_running',
    attempts_count: 3,
    locked_by: worker,
    locked_at: expect.any(Date),
  })
  expect(job).toEqual(after)
  expect(after.locked_at?.getTime()).toBeGreaterThanOrEqual(start[0]?.now.getTime() ?? Number.NaN)
})

test('S4: a row that is not started and unlocked is claimable from its very run_at on', async () => {
  await db.transaction().execute(async (trx) => {
    const { id } = await trx
      .insertInto('send_mail_jobs')
      .values({ recipient: 'ada', run_at: sql`now()` })
      .returning('id')
      .executeTakeFirstOrThrow()
    expect(await fetchNextJob(trx, 'send_mail_jobs', { worker })).toMatchObject({ id })
  })
})

test('S5: a row in retry is claimable when its backoff has passed', async () => {
  const backoff = exponential({ delay: '10s' })
  const { id } = await add({ status: 'job_status_retry', attempts_count: 2, updated_at: at('-19 seconds') })
  expect(await fetch({ backoff })).toBeUndefined()
  await db
    .updateTable('send_mail_jobs')
    .set({ updated_at: at('-21 seconds') })
    .execute()
  expect(await fetch({ backoff })).toMatchObject({ id, attempts_count: 3 })
})

describe('what is never claimed', () => {
  test('S6: a pending row that somebody has locked', async () => {
    for (const status of ['job_status_not_started', 'job_status_retry'] as const) {
      await add({ status, locked_by: otherWorker, locked_at: at('-1 year') })
      await add({ status, locked_by: otherWorker })
    }
    expect(await fetch()).toBeUndefined()
  })

  test('S7: a row whose run_at is in the future', async () => {
    await add({ run_at: at('1 second') })
    await add({ run_at: at('1 year'), status: 'job_status_retry' })
    expect(await fetch({ timeout: 0 })).toBeUndefined()
  })

  test('S9: without a timeout, a running row', async () => {
    await abandoned({ locked_at: at('-1 year') })
    expect(await fetch()).toBeUndefined()
  })

  test('S11: a row that has failed, timed out or succeeded', async () => {
    for (const status of ['job_status_failed', 'job_status_timed_out', 'job_status_succeeded'] as const) {
      await add({ status, locked_at: at('-1 year') })
    }
    expect(await fetch({ timeout: 0 })).toBeUndefined()
  })
})

describe('with a timeout', () => {
  test('S8: a running row is taken over a second after it, whatever its run_at', async () => {
    const { id } = await abandoned({ locked_at: at('-30.5 seconds'), run_at: at('1 hour') })
    expect(await fetch({ timeout: '30s' })).toBeUndefined()
    await db
      .updateTable('send_mail_jobs')
      .set({ locked_at: at('-32 seconds') })
      .execute()
    expect(await fetch({ timeout: '30s' })).toMatchObject({ id, attempts_count: 2, locked_by: worker })
  })

  test('S6, D39: a pending row that was left locked is claimed a second after it', async () => {
    const { id } = await add({ status: 'job_status_retry', locked_by: otherWorker, locked_at: at('-30.5 seconds') })
    expect(await fetch({ timeout: '30s' })).toBeUndefined()
    await db
      .updateTable('send_mail_jobs')
      .set({ locked_at: at('-32 seconds') })
      .execute()
    expect(await fetch({ timeout: '30s' })).toMatchObject({ id, locked_by: worker })
  })

  test('S8: a row whose lease ends this very moment is not expired yet', async () => {
    await abandoned({ locked_at: at('-31 seconds') })
    const expired = (locked: string) =>
      db.transaction().execute(async (trx) => {
        await trx
          .updateTable('send_mail_jobs')
          .set({ locked_at: at(locked) })
          .execute()
        return trx.selectFrom('send_mail_jobs').select('id').where(isLeaseExpired('31s')).execute()
      })
    expect(await expired('-31 seconds')).toHaveLength(0)
    expect(await expired('-31.000001 seconds')).toHaveLength(1)
  })

  test('S10: a running row that nobody holds is taken over by its locked_at, and at once without one', async () => {
    const { id: dateless } = await add({ status: 'job_status_running' })
    expect(await fetch({ timeout: '1h' })).toMatchObject({ id: dateless })
    const { id } = await add({ status: 'job_status_running', locked_at: at('-1 hour') })
    expect(await fetch({ timeout: '30s' })).toMatchObject({ id })
  })
})

test('S12: what is due earliest is claimed first, whatever its age', async () => {
  const young = await add({ run_at: at('-2 hours') })
  const old = await add({ run_at: at('-1 hour'), created_at: at('-1 day') })
  expect([await fetch(), await fetch()]).toMatchObject([{ id: young.id }, { id: old.id }])
})

test('S13: the claim itself gives the whole row, as the table has it', async () => {
  await add({ recipient: 'Ada', last_error: 'away' })
  const job = await fetch()
  expect(job).toEqual(await row(job?.id ?? ''))
})

test('S14: a claim that finds no job returns undefined, and is no error', async () => {
  expect(await fetch()).toBeUndefined()
})

test('S16: a table may have any name', async () => {
  const name = `My "jobs"; drop table send_mail_jobs; --`
  await sql`create table ${sql.id(name)} (like send_mail_jobs including all)`.execute(db)
  await sql`insert into ${sql.id(name)} (recipient) values ('ada')`.execute(db)
  expect(await fetchNextJob(db, name as 'send_mail_jobs', { worker })).toMatchObject({ recipient: 'ada' })
  expect(await fetch()).toBeUndefined()
})

test('S17: a table that is no job table does not compile, and is refused when a worker starts', async () => {
  await sql`create table people (id uuid, name text)`.execute(db)
  const other = db.withTables<{ people: { id: string; name: string } }>()
  // @ts-expect-error 'people' is not a job table: column 'created_at' is missing, ...
  await expect(fetchNextJob(other, 'people', { worker })).rejects.toThrow('column "status" does not exist')
  // @ts-expect-error the same
  const refused = createWorker(other, 'people', async () => {})
  await expect(refused.start()).rejects.toBeInstanceOf(JobTableError)
})
