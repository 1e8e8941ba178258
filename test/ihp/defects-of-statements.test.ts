import { CompiledQuery, Kysely, type LogEvent, PostgresDialect, sql } from 'kysely'
import { cancelJobs, enqueue, pruneJobs, retryJobs } from 'kysely-jobs'
import { fetchNextJob } from 'kysely-jobs/ihp'
import { createJobIndexes } from 'kysely-jobs/migrate'
import { fetchNextJobs, isClaimable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import type { IhpDatabase } from '../support/ihp-table.js'
import { at, otherWorker, sendMail, worker } from './send-mail.js'

const { db, pool, add, abandoned, row, work } = await sendMail()

const fetch = (options: object = {}) => fetchNextJob(db, 'send_mail_jobs', { worker, ...options })

/** Another Kysely on the same pool, that keeps what it is asked. */
function logging() {
  const seen: LogEvent[] = []
  const other = new Kysely<IhpDatabase>({
    dialect: new PostgresDialect({ pool }),
    log: (event) => void seen.push(event),
  })
  return { other, queries: () => seen.map(({ query }) => query), statements: () => seen.map(({ query }) => query.sql) }
}

test('D5: a row that another transaction holds locked is passed over, and nobody waits', async () => {
  const first = await add({ run_at: at('-2 hours') })
  const second = await add({ run_at: at('-1 hour') })
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('send_mail_jobs').selectAll().where('id', '=', first.id).forUpdate().execute()
    await db.transaction().execute(async (other) => {
      await sql`set local lock_timeout = '1s'`.execute(other)
      expect(await fetchNextJob(other, 'send_mail_jobs', { worker })).toMatchObject({ id: second.id })
      expect(await fetchNextJob(other, 'send_mail_jobs', { worker })).toBeUndefined()
    })
  })
  expect(await fetch()).toMatchObject({ id: first.id })
})

test('D6: a claim takes no more than its limit, also where the statistics know nothing of the table', async () => {
  await sql`alter table send_mail_jobs set (autovacuum_enabled = off)`.execute(db)
  await sql`analyze send_mail_jobs`.execute(db)
  await sql`insert into send_mail_jobs (recipient) select 'ada' from generate_series(1, 2000)`.execute(db)
  expect(await fetchNextJobs(db, 'send_mail_jobs', { worker, limit: 10 })).toHaveLength(10)
  const running = await db.selectFrom('send_mail_jobs').select('id').where('locked_by', '=', worker).execute()
  expect(running).toHaveLength(10)
})

test('D7, S13: a claim is one statement, so that nothing can come between the lock and the row', async () => {
  await add()
  const { other, statements } = logging()
  await fetchNextJob(other, 'send_mail_jobs', { worker })
  expect(statements()).toEqual([expect.stringMatching(/^update "send_mail_jobs".* returning \*$/)])
})

test('D12: what is taken over by a claim is tried no more often than it may be', async () => {
  const { id } = await abandoned({ attempts_count: 3 })
  expect(await fetch({ timeout: '30s', maxAttempts: 3 })).toBeUndefined()
  expect(await row(id)).toMatchObject({
    status: 'job_status_failed',
    attempts_count: 3,
    last_error: expect.stringContaining('Lease expired'),
  })
})

test('S15, S26: a worker with a Kysely of its own leaves the log of the application alone', async () => {
  const { other, statements } = logging()
  const served = work(async () => {})
  const succeeded = new Promise((resolve) => served.once('succeeded', resolve))
  await served.start()
  await enqueue(other, 'send_mail_jobs', { recipient: 'ada' })
  await succeeded
  expect(statements()).toEqual([expect.stringMatching(/^insert/)])
})

test('D23: an idle look reads neither the finished jobs nor those that are not due', async () => {
  await sql`truncate send_mail_jobs cascade`.execute(db) // an index built over updated rows is not used while an older transaction runs
  await sql`insert into send_mail_jobs (recipient, status, run_at)
    select 'ada', case when n % 2 = 0 then 'job_status_succeeded' else 'job_status_not_started' end::job_status, now() + n * interval '1 minute'
    from generate_series(1, 20000) n`.execute(db)
  await createJobIndexes(db, 'send_mail_jobs')
  await sql`analyze send_mail_jobs`.execute(db)
  const { other, queries } = logging()
  await fetchNextJob(other, 'send_mail_jobs', { worker })
  for (const { sql: text, parameters } of queries()) {
    const { rows } = await db.executeQuery(CompiledQuery.raw(`explain ${text}`, [...parameters]))
    expect(JSON.stringify(rows)).toContain('job_ready_send_mail_jobs')
    expect(JSON.stringify(rows)).not.toContain('Seq Scan')
  }
  expect(queries()).toHaveLength(1)
})

test('D24: neither a retry nor a job created long ago is claimed before a job that has been due for longer', async () => {
  const planned = await add({ created_at: at('-1 year'), run_at: at('-1 minute') })
  const retried = await add({ created_at: at('-1 day'), run_at: at('-2 minutes'), status: 'job_status_retry' })
  const waiting = await add({ created_at: at('-1 hour'), run_at: at('-1 hour') })
  const order = [(await fetch())?.id, (await fetch())?.id, (await fetch())?.id]
  expect(order).toEqual([waiting.id, retried.id, planned.id])
})

test('D25: a timeout may be of any length', async () => {
  const { id } = await abandoned({ locked_at: at('-61 days') })
  for (const timeout of ['36m', '2147484 ms', '62d'] as const) {
    await db
      .updateTable('send_mail_jobs')
      .set({ locked_at: timeout === '62d' ? at('-61 days') : at('-35 minutes') })
      .execute()
    expect(await fetch({ timeout })).toBeUndefined()
  }
  expect(await fetch({ timeout: '60d' })).toMatchObject({ id })
})

test('D27: a condition that a user adds applies to the whole predicate', async () => {
  await add({ recipient: 'bob' })
  await add({ recipient: 'bob', status: 'job_status_retry' })
  await add({ run_at: at('1 hour') })
  const { id } = await add({ status: 'job_status_retry' })
  const found = await db
    .selectFrom('send_mail_jobs')
    .select('id')
    .where(isClaimable())
    .where('recipient', '=', 'ada')
    .execute()
  expect(found).toEqual([{ id }])
})

test('D37: jobs that ended long ago can be deleted', async () => {
  await add({ status: 'job_status_succeeded', updated_at: at('-31 days') })
  await add({ status: 'job_status_succeeded' })
  await add({ updated_at: at('-31 days') })
  expect(await pruneJobs(db, 'send_mail_jobs', { olderThan: '30d' })).toBe(1)
})

test('D38: jobs can be cancelled and inserted once, also in a table of the seed', async () => {
  const { id } = await add()
  expect(await cancelJobs(db, 'send_mail_jobs', { ids: [id] }, { reason: 'the user left' })).toEqual([id])
  expect(await row(id)).toMatchObject({ status: 'job_status_failed', last_error: 'Cancelled: the user left' })
  await sql`create unique index once on send_mail_jobs (recipient)
    where status in ('job_status_not_started', 'job_status_running', 'job_status_retry')`.execute(db)
  const insertOnce = () =>
    db
      .insertInto('send_mail_jobs')
      .values({ recipient: 'ada' })
      .onConflict((conflict) =>
        conflict
          .column('recipient')
          .where(sql<boolean>`status in ('job_status_not_started', 'job_status_running', 'job_status_retry')`)
          .doNothing(),
      )
      .returning('id')
      .execute()
  expect([await insertOnce(), await insertOnce()].map(({ length }) => length)).toEqual([1, 0])
  await sql`drop index once`.execute(db)
})

test('D39: retryJobs unlocks a job, whoever locked it', async () => {
  const { id } = await add({
    status: 'job_status_retry',
    locked_by: otherWorker,
    attempts_count: 10,
    run_at: at('1 day'),
  })
  expect(await retryJobs(db, 'send_mail_jobs', { ids: [id] })).toEqual([id])
  expect(await fetch()).toMatchObject({ id, attempts_count: 1 })
})
