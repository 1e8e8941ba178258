import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable, createJobTriggers, dropJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, inspectJobTable, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { channelName, quoted } from '../../src/schema/names.js'
import { testDatabase } from '../support/database.js'

const { db, url } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text'))
})
const listener = new pg.Client({ connectionString: url })
await listener.connect()
afterAll(() => listener.end())
let heard: string[] = []
listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`))
await listener.query('listen job_available_mail_jobs')

/** All that was notified so far has arrived when a notification of our own has: they come in order. */
async function everythingIsHeard(): Promise<void> {
  const arrived = new Promise<void>((resolve) => {
    const last = ({ channel }: pg.Notification) => {
      if (channel !== 'said_last') return
      listener.off('notification', last)
      resolve()
    }
    listener.on('notification', last)
  })
  await listener.query('listen said_last')
  await sql`select pg_notify('said_last', '')`.execute(db)
  await arrived
}

/** What the workers are told when a statement has committed. */
async function told(statement: () => Promise<unknown>): Promise<string[]> {
  await everythingIsHeard()
  heard = []
  await statement()
  await everythingIsHeard()
  return heard.filter((each) => !each.startsWith('said_last'))
}

const values = { to: 'ann' }

test('an insert is told once, however many rows it has, as due now', async () => {
  expect(
    await told(() =>
      enqueue(
        db,
        'mail_jobs',
        Array.from({ length: 100 }, () => values),
      ),
    ),
  ).toEqual(['job_available_mail_jobs 0'])
  expect(await told(() => db.insertInto('mail_jobs').values(values).execute())).toEqual(['job_available_mail_jobs 0'])
})

test('a transaction is told when it commits, and not when it is rolled back', async () => {
  const rolledBack = () =>
    db.transaction().execute(async (trx) => {
      await enqueue(trx, 'mail_jobs', values)
      throw new Error('no')
    })
  expect(await told(() => rolledBack().catch(() => {}))).toEqual([])
})

test('a scheduled job is told with the milliseconds until it is due; one without a date is not told', async () => {
  const [message] = await told(() => enqueue(db, 'mail_jobs', [values, values], { delay: '1h' }))
  expect(Number(message?.split(' ')[1])).toBeGreaterThan(3_500_000)
  expect(await told(() => enqueue(db, 'mail_jobs', { ...values, run_at: 'infinity' }))).toEqual([])
  expect(await told(() => enqueue(db, 'mail_jobs', { ...values, run_at: '-infinity' }))).toEqual([
    'job_available_mail_jobs 0',
  ])
  const [far] = await told(() => enqueue(db, 'mail_jobs', { ...values, run_at: '9999-01-01' }))
  expect(Number(far?.split(' ')[1])).toBeGreaterThan(2 ** 40)
})

test('a delay is told as it counts: from the insert, not from the start of its transaction', async () => {
  const [message] = await told(() =>
    db.transaction().execute(async (trx) => {
      await sql`select now()`.execute(trx) // stands still from here on
      await enqueue(trx, 'mail_jobs', values, { delay: '1h' })
    }),
  )
  expect(Number(message?.split(' ')[1])).toBeLessThanOrEqual(3_600_000)
})

test('a claim, a success and an update of the payload are not told; a retry and an earlier date are', async () => {
  await db.deleteFrom('mail_jobs').execute()
  const job = await enqueue(db, 'mail_jobs', { ...values, run_at: new Date() })
  const worker = crypto.randomUUID()
  expect(await told(() => fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 }))).toEqual([])
  expect(
    await told(() =>
      settle(db, 'mail_jobs', [{ id: job.id, attempt: 1, kind: 'retry', delay: 0, error: 'no' }], { worker }),
    ),
  ).toEqual(['job_available_mail_jobs 0'])
  const touch = db.updateTable('mail_jobs').where('id', '=', job.id)
  expect(await told(() => touch.set({ to: 'ben' }).execute())).toEqual([])
  expect(await told(() => touch.set({ run_at: '2990-01-01' }).execute())).toEqual([])
  expect(await told(() => touch.set({ run_at: sql`now()` }).execute())).toEqual(['job_available_mail_jobs 0'])
  await fetchNextJobs(db, 'mail_jobs', { worker, limit: 1 })
  expect(
    await told(() => settle(db, 'mail_jobs', [{ id: job.id, attempt: 2, kind: 'succeeded' }], { worker })),
  ).toEqual([])
})

test("whoever inserts, with whatever search_path, the trigger's words are the catalog's", async () => {
  await sql`create schema evil;
    create function evil.pg_notify(text, text) returns void language sql as 'select 1/0';
    create function evil.now() returns timestamptz language sql as 'select null::timestamptz'`.execute(db)
  const insert = () =>
    db.connection().execute(async (connection) => {
      await sql`set search_path = evil, pg_catalog, public`.execute(connection)
      await connection.insertInto('public.mail_jobs').values(values).execute()
      await sql`reset search_path`.execute(connection)
    })
  expect(await told(insert)).toEqual(['job_available_mail_jobs 0'])
})

test('a pg_notify that somebody put into public is not called, whoever runs the insert', async () => {
  await sql`
    create function public.pg_notify(text, text) returns void language sql as 'select 1/0';
    create function public.clock_timestamp() returns timestamptz language sql as 'select null::timestamptz'`.execute(db)
  const insert = () =>
    db.connection().execute(async (connection) => {
      await sql`set search_path = public, pg_catalog`.execute(connection)
      await connection.insertInto('mail_jobs').values(values).execute()
      await sql`reset search_path`.execute(connection)
    })
  expect(await told(insert)).toEqual(['job_available_mail_jobs 0'])
  await sql`drop function public.pg_notify(text, text), public.clock_timestamp()`.execute(db)
})

test('an insert calls the function once, whatever its rows; an update for each row that becomes claimable', async () => {
  const { rows } = await sql`
    select tgname as name, tgtype & 1 = 1 as "forEachRow", tgqual is not null as conditional from pg_trigger
    where not tgisinternal and tgrelid = 'mail_jobs'::regclass order by 1`.execute(db)
  expect(rows).toEqual([
    { name: 'did_insert_job_mail_jobs', forEachRow: false, conditional: false },
    { name: 'did_update_job_mail_jobs', forEachRow: true, conditional: true },
  ])
})

test("IHP's triggers of the same names are replaced, and making ours twice changes nothing", async () => {
  await sql`drop trigger did_insert_job_mail_jobs on mail_jobs`.execute(db)
  await sql`
    create trigger did_insert_job_mail_jobs after insert on mail_jobs for each row execute function notify_job_queued_mail_jobs()`.execute(
    db,
  )
  await createJobTriggers(db, 'mail_jobs')
  await createJobTriggers(db, 'mail_jobs')
  expect(await told(() => enqueue(db, 'mail_jobs', [values, values]))).toEqual(['job_available_mail_jobs 0'])
})

test('a table made without triggers tells nobody', async () => {
  await createJobTable(db, 'quiet_jobs', undefined, { notify: 'none' })
  await listener.query('listen job_available_quiet_jobs')
  expect(await told(() => enqueue(db, 'quiet_jobs', {}))).toEqual([])
  const { rows } = await sql`select proname from pg_proc where proname like '%quiet%'`.execute(db)
  expect(rows).toEqual([])
  await dropJobTable(db, 'quiet_jobs')
})

test('tables of long names, and of the same name in two schemas, have channels of their own', async () => {
  const long = 'a_very_long_name_for_a_table_of_jobs_that_fills_its_63_bytes_up'
  await sql`create schema billing`.execute(db)
  await createJobTable(db, long)
  await createJobTable(db, 'billing.mail_jobs')
  expect(await told(() => db.insertInto('billing.mail_jobs').defaultValues().execute())).toEqual([])
  for (const name of [long, 'billing.mail_jobs']) {
    // as the worker finds it: by the name that the catalog has
    const channel = channelName((await inspectJobTable(db, name)).table)
    await listener.query(`listen ${quoted(channel)}`)
    expect(await told(() => db.insertInto(name).defaultValues().execute())).toEqual([`${channel} 0`])
  }
  const { rows } = await sql<{ name: string }>`
    select distinct tgname as name from pg_trigger where not tgisinternal order by 1`.execute(db)
  expect(rows.map((row) => row.name)).toEqual([
    'did_insert_job_a_very_long_name_for_a_table_of_jobs_th_b65e2970',
    'did_insert_job_mail_jobs',
    'did_insert_job_mail_jobs_be0fd044',
    'did_update_job_a_very_long_name_for_a_table_of_jobs_th_b65e2970',
    'did_update_job_mail_jobs',
    'did_update_job_mail_jobs_be0fd044',
  ])
})
