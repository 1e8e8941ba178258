import { Kysely, PostgresDialect, sql } from 'kysely'
import { cancelJobs, enqueue, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { testDatabase } from '../support/database.js'
import { claimed, createMailJobs, rolledBack } from './mail-jobs.js'

const { db, url, pool } = await testDatabase(async (handle) => {
  await createMailJobs(handle)
  await sql`create unique index one_waits on mail_jobs ("to") where status = 'job_status_not_started'`.execute(handle)
})

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const every = { where: (eb: any) => eb.lit(true) }

/** Failed jobs of as many people; those of `twice` have a job that waits as well, which their index lets be only one. */
async function failed(count: number, twice: readonly number[] = []): Promise<void> {
  await sql`insert into mail_jobs ("to", status) select 'person ' || n, 'job_status_failed' from generate_series(1, ${count}::int) n`.execute(
    db,
  )
  await enqueue(
    db,
    'mail_jobs',
    twice.map((n) => ({ to: `person ${n}` })),
  )
}

const countOf = async (status: string) => {
  const row = await db
    .selectFrom('mail_jobs')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('status', '=', status)
    .executeTakeFirst()
  return Number(row?.count)
}

const isFailed = { where: (eb: any) => eb('status', '=', 'job_status_failed') }

test('a retry of many jobs is written in chunks, each committed by itself, and takes no job twice', async () => {
  await failed(2500)
  const statements: string[] = []
  const logged = new Kysely<any>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => {
      statements.push(query.sql)
    },
  })
  const retried = await retryJobs(logged, 'mail_jobs', every)
  expect(new Set(retried).size).toBe(2500)
  expect(retried).toHaveLength(2500)
  expect(statements.filter((statement) => statement.startsWith('update'))).toHaveLength(3)
  const { rows } = await sql`select count(distinct xmin::text)::int as transactions from mail_jobs`.execute(db)
  expect(rows).toEqual([{ transactions: 3 }])
})

test('a job that a unique index refuses keeps its state, is told with its error, and undoes no other', async () => {
  await failed(1200, [7, 1100])
  const retried = await retryJobs(db, 'mail_jobs', isFailed)
  expect(retried).toHaveLength(1198)
  expect(retried.refused).toMatchObject(Array(2).fill({ error: { code: '23505', constraint: 'one_waits' } }))
  const { rows } = await sql`select id from mail_jobs where status = 'job_status_failed'`.execute(db)
  expect(retried.refused.map(({ id }) => id).toSorted()).toEqual(rows.map(({ id }: any) => id).toSorted())
})

test('of two jobs of which the index lets one wait, one is retried', async () => {
  await sql`insert into mail_jobs ("to", status) values ('ada', 'job_status_failed'), ('ada', 'job_status_failed')`.execute(
    db,
  )
  const retried = await retryJobs(db, 'mail_jobs', every)
  expect([retried.length, retried.refused.length]).toEqual([1, 1])
})

test('in a transaction of the user all of it comes and goes with the transaction, which a refused job does not end', async () => {
  await failed(30, [7])
  await rolledBack(db, async (trx) => {
    const retried = await retryJobs(trx, 'mail_jobs', isFailed)
    expect([retried.length, retried.refused.length]).toEqual([29, 1])
    expect(await cancelJobs(trx, 'mail_jobs', every)).toHaveLength(30)
  })
  expect(await countOf('job_status_failed')).toBe(30)
})

test('a job whose cancellation a trigger refuses stays, and the others are cancelled', async () => {
  await sql`
    create function keep() returns trigger language plpgsql as $$ begin
      if new."to" = 'kept' and new.status = 'job_status_cancelled' then raise exception 'it has to run'; end if; return new; end $$;
    create trigger keep before update on mail_jobs for each row execute function keep()`.execute(db)
  onTestFinished(async () => void (await sql`drop function keep cascade`.execute(db)))
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'kept' }, { to: 'ben' }])
  const cancelled = await cancelJobs(db, 'mail_jobs', every)
  expect(cancelled).toHaveLength(2)
  expect(cancelled.refused).toMatchObject([{ error: { message: 'it has to run' } }])
  expect(await countOf('job_status_not_started')).toBe(1)
})

test('what concerns all jobs is thrown, and looks for no culprit', async () => {
  await failed(30)
  await expect(retryJobs(db, 'mail_jobs', { where: () => sql<boolean>`no_such_function()` })).rejects.toMatchObject({
    code: '42883',
  })
  expect(await countOf('job_status_failed')).toBe(30)
})

test('workers are told to look at their leases where a running job was cancelled, and for the next job where any was', async () => {
  const listener = new pg.Client({ connectionString: url })
  await listener.connect()
  onTestFinished(() => listener.end())
  const heard: string[] = []
  const said = new Promise<void>((resolve) => {
    listener.on('notification', ({ payload = '' }) => (payload === 'last' ? resolve() : heard.push(payload)))
  })
  await listener.query('listen job_available_mail_jobs')
  const [running] = await claimed(db, 'ada')
  await enqueue(db, 'mail_jobs', [{ to: 'ben' }, { to: 'cleo' }])
  expect(await cancelJobs(db, 'mail_jobs', { where: (eb: any) => eb('to', '=', 'ben') })).toHaveLength(1)
  expect(await cancelJobs(db, 'mail_jobs', every)).toContain(running.id)
  await sql`select pg_notify('job_available_mail_jobs', 'last')`.execute(db)
  await said
  expect(heard).toEqual(['0', 'check', '0'])
})

test('jobs are cancelled where notifying is not allowed, also in a transaction', async () => {
  await sql`
    create role mute; grant select, update on mail_jobs to mute; revoke execute on function pg_notify(text, text) from public`.execute(
    db,
  )
  onTestFinished(
    async () =>
      void (await sql`drop owned by mute; drop role mute; grant execute on function pg_notify(text, text) to public`.execute(
        db,
      )),
  )
  await db.connection().execute(async (connection) => {
    await claimed(db, 'ada')
    await sql`set role mute`.execute(connection)
    expect(await cancelJobs(connection, 'mail_jobs', every)).toHaveLength(1)
    await sql`reset role`.execute(connection)
  })
  await claimed(db, 'ben')
  await db.transaction().execute(async (trx) => {
    await sql`set local role mute`.execute(trx)
    expect(await cancelJobs(trx, 'mail_jobs', every)).toHaveLength(1)
  })
  expect(await countOf('job_status_cancelled')).toBe(2)
})

test('with a full queue of notifications jobs are enqueued, retried and cancelled all the same', async () => {
  await using server = await startPostgres({ fsync: false, settings: { max_notify_queue_pages: '64' } })
  const full = new Kysely<any>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: server.url }) }),
  })
  const deaf = new pg.Client({ connectionString: server.url })
  await deaf.connect()
  await createJobTable(full, 'mail_jobs')
  await deaf.query('listen anything')
  await deaf.query('begin') // whoever listens in a transaction reads nothing, and all is kept for it
  const fill = () =>
    sql`select pg_notify('anything', repeat('x', 7000) || random()) from generate_series(1, 10)`.execute(full)
  for (let fits = true; fits; ) {
    fits = await fill().then(
      () => true,
      () => false,
    )
  }
  await expect(sql`notify anything, 'more'`.execute(full)).rejects.toThrow()
  const { id } = await enqueue(full, 'mail_jobs', {})
  const { id: other } = await enqueue(full, 'mail_jobs', {})
  await full.updateTable('mail_jobs').set({ status: 'job_status_running' }).where('id', '=', id).execute()
  expect(await cancelJobs(full, 'mail_jobs', { ids: [id, other] })).toHaveLength(2)
  expect(await retryJobs(full, 'mail_jobs', { ids: [id] })).toEqual([id])
  await deaf.end()
  await full.destroy()
}, 120_000) // it starts a server
