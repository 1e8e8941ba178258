import { Kysely, PostgresDialect, sql } from 'kysely'
import {
  addSchedule,
  cancelJobs,
  createRunner,
  createWorker,
  enqueue,
  limitJobs,
  pauseJobs,
  pauseSchedule,
  removeSchedule,
  resumeJobs,
} from 'kysely-jobs'
import {
  createJobHistory,
  createJobIndexes,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
  createJobTriggers,
  createUniqueIndex,
  dropJobIndexes,
  dropJobTable,
  setJobStorage,
} from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, leaseOf, release, rescue, settle } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { unlessUndone } from '../../src/schema/undone.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, mailWorker, next, quiet } from '../worker/mail-jobs.js'
import { createTenantTables, type TenantDatabase } from '../worker/tenant-jobs.js'

type Tables = MailDatabase & TenantDatabase

const sides = ['job_limits', 'job_pauses', 'job_schedules', 'job_history', 'job_runners']

const { db, url } = await testDatabase<Tables>(async (handle) => {
  await createMailTables(handle)
  await createTenantTables(handle)
  await createJobPauses(handle)
  await createJobSchedules(handle)
  await createJobHistory(handle)
  await createJobRunners(handle)
  await sql`create table undone (state text, times int)`.execute(handle)
  await sql`insert into undone values ('40001', 0)`.execute(handle)
  // Not by the row of a table, which would be undone with the statement.
  await sql`create sequence refusals`.execute(handle)
  await sql`create function undo() returns trigger language plpgsql as $$
    begin
      if nextval('refusals') <= (select times from undone) then
        raise exception 'undone by another' using errcode = (select state from undone);
      end if;
      return null;
    end $$`.execute(handle)
  for (const table of ['mail_jobs', 'tenant_jobs', ...sides])
    await sql`create trigger undo before insert or update or delete on ${sql.table(table)} for each statement execute function undo()`.execute(
      handle,
    )
})

/** From now on the next so many statements that write are undone, as another has written what they read. */
async function undoing(times: number, state = '40001'): Promise<void> {
  await sql`update undone set state = ${state}, times = ${times}`.execute(db)
  await sql`select setval('refusals', 1, false)`.execute(db)
}

/** How many writes there were since. */
async function tries(): Promise<number> {
  const { rows } = await sql<{ n: string }>`select nextval('refusals') - 1 as n`.execute(db)
  return Number(rows[0]?.n)
}

beforeEach(async () => {
  await undoing(0)
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('tenant_jobs').execute()
})

const worker = '00000000-0000-8000-8000-000000000001'
const mail = { to: 'ada' }

/** A running job's lease. */
async function held() {
  await enqueue(db, 'mail_jobs', mail)
  const [job] = await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 })
  if (job === undefined) throw new Error('no job')
  return leaseOf(job)
}

test.each(['40001', '40P01'])('each verb writes again what others undo with %s', async (state) => {
  const lease = await held()
  const verbs: [name: string, verb: () => Promise<unknown>][] = [
    ['enqueue', () => enqueue(db, 'mail_jobs', mail)],
    [
      'enqueue of many',
      () =>
        enqueue(
          db,
          'mail_jobs',
          Array.from({ length: 3_000 }, () => mail),
        ),
    ],
    ['fetchNextJobs', () => fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 })],
    ['heartbeat', () => heartbeat(db, 'mail_jobs', [lease], { worker })],
    ['release', () => release(db, 'mail_jobs', [lease], { worker })],
    ['settle', () => settle(db, 'mail_jobs', [{ ...lease, kind: 'succeeded' }], { worker })],
    ['rescue', () => rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 1 })],
    ['cancelJobs', () => cancelJobs(db, 'mail_jobs', { where: (eb) => eb('to', '=', 'ada') })],
    ['pauseJobs', () => pauseJobs(db, 'mail_jobs')],
    ['resumeJobs', () => resumeJobs(db, 'mail_jobs')],
    ['limitJobs', () => limitJobs(db, 'tenant_jobs', { where: { tenant_id: 1 }, max: 3 })],
    ['addSchedule', () => addSchedule(db, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', values: mail })],
    ['pauseSchedule', () => pauseSchedule(db, 'mail_jobs', 'nightly')],
    ['removeSchedule', () => removeSchedule(db, 'mail_jobs', 'nightly')],
  ]
  for (const [name, verb] of verbs) {
    await undoing(2, state)
    await verb().catch((error: unknown) => expect.fail(`${name}: ${String(error)}`))
    expect(await tries(), name).toBeGreaterThan(2)
  }
})

test('what is undone again and again is an error in the end', async () => {
  await undoing(1_000)
  await expect(enqueue(db, 'mail_jobs', mail)).rejects.toMatchObject({ code: '40001' })
  expect(await tries()).toBe(5)
})

test('in a transaction of the user it is their error, and their transaction is what is to be run again', async () => {
  await undoing(1)
  const enqueued = db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', mail))
  await expect(enqueued).rejects.toMatchObject({ code: '40001' })
  expect(await tries()).toBe(1)
  await db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', mail))
})

test('of statements within a transaction that has failed, the first error is told', async () => {
  const first = Object.assign(new Error('undone'), { code: '40001' })
  const errors = [first, Object.assign(new Error('current transaction is aborted'), { code: '25P02' })]
  await expect(unlessUndone({}, () => Promise.reject(errors.shift()))).rejects.toBe(first)
})

test('a worker goes on without a word where its claims and outcomes are undone', async () => {
  const own = mailWorker(db, async () => {})
  const errors: unknown[] = []
  own.on('error', ({ error }) => errors.push(error))
  await enqueue(db, 'mail_jobs', [mail, mail])
  const idle = next(own, 'idle')
  let ended = 0
  const both = next(own, 'succeeded', () => ++ended === 2)
  await undoing(2)
  await own.start()
  await Promise.all([both, idle])
  expect(errors).toEqual([])
})

test('a worker of limited keys claims again, by a transaction of its own, what others undo', async () => {
  await using own = createWorker(db, 'tenant_jobs', async () => {}, {
    ...{ logger: quiet, pollInterval: '20ms', limit: { by: 'tenant_id', max: 1 } },
  })
  const errors: unknown[] = []
  own.on('error', ({ error }) => errors.push(error))
  await enqueue(db, 'tenant_jobs', { tenant_id: 1, place: 1 })
  const succeeded = next(own, 'succeeded')
  await undoing(2)
  await own.start()
  await succeeded
  expect(errors).toEqual([])
})

test('a runner writes its row and fires what is due, though both are undone at first', async () => {
  const own = mailWorker(db, async () => {})
  await addSchedule(db, 'mail_jobs', { name: 'often', every: '1h', values: mail })
  await sql`update job_schedules set next_slot = now() - interval '1 second'`.execute(db)
  const succeeded = next(own, 'succeeded')
  await undoing(3)
  const runner = createRunner(db, { workers: [own], logger: quiet })
  const errors: unknown[] = []
  runner.on('error', ({ error }) => errors.push(error))
  await runner.start()
  await succeeded
  await runner.stop()
  expect(errors).toEqual([])
  await removeSchedule(db, 'mail_jobs', 'often')
})

test('with serializable as the default of its sessions, inserts and claims at the same time all come through', async () => {
  const pool = quietPool({ connectionString: url, max: 12, options: '-c default_transaction_isolation=serializable' })
  const own = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => own.destroy())
  await Promise.all(Array.from({ length: 60 }, () => enqueue(own, 'mail_jobs', mail)))
  const claims = Array.from({ length: 12 }, (_, n) =>
    fetchNextJobs(own, 'mail_jobs', { worker: worker.replace(/.{2}$/, String(n + 10)), limit: 2 }),
  )
  const ids = (await Promise.all(claims)).flat().map(({ id }) => id)
  expect(ids.length).toBeGreaterThan(0)
  expect(new Set(ids).size).toBe(ids.length)
})

test('a migration that is undone, by a deadlock with a worker say, is run again from its beginning', async () => {
  await sql`create function undo_ddl() returns event_trigger language plpgsql as $$
    begin
      if nextval('refusals') <= (select times from undone) then
        raise exception 'undone by another' using errcode = '40P01';
      end if;
    end $$`.execute(db)
  await sql`create event trigger undo_ddl on ddl_command_end execute function undo_ddl()`.execute(db)
  onTestFinished(async () => void (await sql`drop event trigger undo_ddl`.execute(db)))
  const table = 'moved_jobs'
  const migrations: [name: string, run: () => Promise<void>][] = [
    ['createJobTable', () => createJobTable(db, table, (own) => own.addColumn('to', 'text'))],
    ['dropJobIndexes', () => dropJobIndexes(db, table)],
    ['createJobIndexes', () => createJobIndexes(db, table, { concurrently: true })],
    ['setJobStorage', () => setJobStorage(db, table)],
    ['createUniqueIndex', () => createUniqueIndex(db, table, ['to'], { concurrently: true })],
    ['createJobTriggers', () => createJobTriggers(db, table)],
  ]
  for (const [name, run] of migrations) {
    await undoing(2)
    await run().catch((error: unknown) => expect.fail(`${name}: ${String(error)}`))
    expect(await tries(), name).toBeGreaterThan(2)
  }
  await undoing(1)
  await expect(db.transaction().execute((trx) => dropJobTable(trx, table))).rejects.toMatchObject({ code: '40P01' })
})
