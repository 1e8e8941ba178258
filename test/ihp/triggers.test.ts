import { sql } from 'kysely'
import { fetchNextJob, jobDidFail, jobDidSucceed } from 'kysely-jobs/ihp'
import { createJobTable, createJobTriggers } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { createIhpTriggers } from '../support/ihp-table.js'
import { at, listenTo, quiet, sendMail, worker } from './send-mail.js'

const { db, url, add } = await sendMail()
const channel = 'job_available_send_mail_jobs'

beforeEach(() => createJobTriggers(db, 'send_mail_jobs'))

const triggers = async (table = 'send_mail_jobs') =>
  (
    await sql<{ trigger: string; function: string }>`
      select tgname as trigger, proname as function from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      where tgrelid = ${sql.lit(table)}::regclass and not tgisinternal order by tgname`.execute(db)
  ).rows

const claim = async () => {
  const job = await fetchNextJob(db, 'send_mail_jobs', { worker })
  if (job === undefined) throw new Error('there is nothing to claim')
  return job
}

test('S28: function, triggers and channel have the names of the seed', async () => {
  expect(await triggers()).toEqual([
    { trigger: 'did_insert_job_send_mail_jobs', function: 'notify_job_queued_send_mail_jobs' },
    { trigger: 'did_update_job_send_mail_jobs', function: 'notify_job_queued_send_mail_jobs' },
  ])
  const heard = await listenTo(url, channel)
  await add()
  expect(await heard()).toHaveLength(1)
})

test('S29: inserts and updates notify of rows that are not started or in retry, in so many milliseconds', async () => {
  const heard = await listenTo(url, channel)
  await add()
  await add({ status: 'job_status_retry' })
  const done = await add({ status: 'job_status_succeeded' })
  expect(await heard()).toEqual(['0', '0'])
  await db.updateTable('send_mail_jobs').set({ status: 'job_status_not_started' }).where('id', '=', done.id).execute()
  expect(await heard()).toEqual(['0'])
})

test('S30: neither a delete, nor a claim, nor a success notifies; a retry does', async () => {
  await add()
  await add({ run_at: at('-1 hour') })
  const heard = await listenTo(url, channel)
  const [first, second] = [await claim(), await claim()]
  await jobDidSucceed(db, 'send_mail_jobs', first, { logger: quiet })
  await db.deleteFrom('send_mail_jobs').where('id', '=', first.id).execute()
  expect(await heard()).toEqual([])
  await jobDidFail(db, 'send_mail_jobs', second, new Error('away'), { logger: quiet, backoff: () => '90s' })
  const [due] = await heard()
  expect(Number(due)).toBeGreaterThan(80_000)
  expect(Number(due)).toBeLessThanOrEqual(90_000)
})

test('S31, D22: a job due tomorrow notifies with that time; an update that makes no pending job due earlier does not notify', async () => {
  const heard = await listenTo(url, channel)
  const { id } = await add({ run_at: at('1 day') })
  const [due] = await heard()
  expect(Number(due)).toBeGreaterThan(86_000_000)
  const touch = db.updateTable('send_mail_jobs').where('id', '=', id)
  await touch.set({ recipient: 'bob' }).execute()
  await touch.set({ run_at: at('2 days') }).execute()
  expect(await heard()).toEqual([])
  await touch.set({ run_at: sql`now()` }).execute()
  expect(await heard()).toEqual(['0'])
})

test('S32: a notification comes with the commit, one for a transaction, none for one that rolls back', async () => {
  const heard = await listenTo(url, channel)
  await db.transaction().execute(async (trx) => {
    for (let i = 0; i < 100; i += 1) await trx.insertInto('send_mail_jobs').values({ recipient: 'ada' }).execute()
    expect(await heard()).toEqual([])
  })
  expect(await heard()).toEqual(['0'])
  for (let i = 0; i < 5; i += 1) await add()
  expect(await heard()).toHaveLength(5)
  const back = db.transaction().execute(async (trx) => {
    await trx.insertInto('send_mail_jobs').values({ recipient: 'ada' }).execute()
    throw new Error('back')
  })
  await expect(back).rejects.toThrow('back')
  expect(await heard()).toEqual([])
})

test("S33: the triggers can be made again, also over IHP's own", async () => {
  await createIhpTriggers(db)
  await createJobTriggers(db, 'send_mail_jobs')
  await createJobTriggers(db, 'send_mail_jobs')
  expect(await triggers()).toHaveLength(2)
  const heard = await listenTo(url, channel)
  await add()
  expect(await heard()).toEqual(['0'])
})

test('D19: tables whose names need quotes get their triggers, and get them again', async () => {
  for (const name of ['MyJobs', 'order', 'naïve "jobs"']) {
    await createJobTable(db, name)
    await createJobTriggers(db, name)
    await sql`insert into ${sql.id(name)} default values`.execute(db)
    expect(await triggers(`"${name.replaceAll('"', '""')}"`)).toHaveLength(2)
  }
})

test('D20: tables with names as long as they may be notify, each its own channel', async () => {
  const start = 'a_table_whose_name_is_as_long_as_postgres_takes_it_to_be'
  const names = [`${start}_one`, `${start}_two`]
  for (const name of names) {
    await createJobTable(db, name)
    await sql`insert into ${sql.id(name)} default values`.execute(db)
  }
  const functions = (await Promise.all(names.map((name) => triggers(name)))).map(([first]) => first?.function)
  expect(new Set(functions).size).toBe(2)
})

test('D21: tables of one name in two schemas do not wake the workers of the other', async () => {
  const heard = await listenTo(url, channel)
  await db.schema.createSchema('billing').execute()
  await createJobTable(db, 'billing.send_mail_jobs')
  await sql`insert into billing.send_mail_jobs default values`.execute(db)
  expect(await heard()).toEqual([])
  await add()
  expect(await heard()).toEqual(['0'])
})
