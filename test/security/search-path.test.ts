import { sql } from 'kysely'
import { createWorker, enqueue, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { afterAll, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { createRole, handleAs } from './roles.js'

const database = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text')),
)
const { db, url } = database

// Whatever the trigger function's words could be taken for, nearer to its arguments than what the catalog has: such
// a function is preferred wherever on the path it stands, so that pg_catalog in front is no guard.
const role = await createRole(database)
await sql
  .raw(
    `create schema evil;
    grant usage on schema evil to ${role};
    grant select, insert, update on mail_jobs to ${role};
    create function evil.boom() returns int language plpgsql as $$ begin raise exception 'the trap was called'; end $$;
    create function evil.same(job_status, job_status) returns boolean language sql as 'select evil.boom() = 1';
    create operator evil.= (leftarg = job_status, rightarg = job_status, function = evil.same);
    create function evil.less(timestamptz, timestamptz) returns boolean language sql as 'select evil.boom() = 1';
    create operator evil.< (leftarg = timestamptz, rightarg = timestamptz, function = evil.less);
    create operator evil.<= (leftarg = timestamptz, rightarg = timestamptz, function = evil.less);
    create function evil.minus(timestamptz, timestamptz) returns interval language sql as 'select evil.boom() * interval ''1s''';
    create operator evil.- (leftarg = timestamptz, rightarg = timestamptz, function = evil.minus);
    create function evil.times(numeric, int) returns numeric language sql as 'select evil.boom()::numeric';
    create operator evil.* (leftarg = numeric, rightarg = int, function = evil.times);
    create function evil.ceil(numeric) returns numeric language sql as 'select evil.boom()::numeric';
    create function evil.pg_notify(text, text) returns void language sql as 'select evil.boom()';
    create function evil.clock_timestamp() returns timestamptz language sql as 'select now() + evil.boom() * interval ''1s''';
    create table evil.new_rows (status text, run_at text, locked_by int);
    create domain evil.timestamptz as pg_catalog.int4;`,
  )
  .execute(db)
const hostile = handleAs(database, role, '-c search_path=evil,pg_temp,public,pg_catalog')
afterAll(() => sql`drop schema evil cascade`.execute(db))

test('the trap is one: a statement of its own on this path falls into it', async () => {
  await expect(sql`select now() < now()`.execute(hostile)).rejects.toThrow('the trap was called')
})

test('whoever inserts with a hostile search_path wakes the workers, and none of their functions is called', async () => {
  await using worker = createWorker(db, 'mail_jobs', () => undefined, {
    logger: quiet,
    listen: url,
    pollInterval: '1h',
  })
  const listening = next<{ state: string }>(worker, 'listener', ({ state }) => state === 'listening')
  await worker.start()
  await listening
  for (const to of ['one', 'many']) {
    const succeeded = next(worker, 'succeeded')
    await sql`insert into public.mail_jobs ("to") values (${to})`.execute(hostile)
    await succeeded
  }
  await sql`insert into public.mail_jobs ("to", run_at) values ('later', '2990-01-01')`.execute(hostile)
})

test('nor by an update, nor by tables and types that stand in its way as temporary ones', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ann' })
  await db.updateTable('mail_jobs').set({ status: 'job_status_failed' }).where('id', '=', id).execute()
  await hostile.connection().execute(async (connection) => {
    await sql`create temporary table new_rows (status text, run_at text, locked_by int)`.execute(connection)
    await sql`create temporary table old (status text)`.execute(connection)
    await sql`update public.mail_jobs set status = 'job_status_retry'`.execute(connection)
    await sql`insert into public.mail_jobs ("to") values ('ben')`.execute(connection)
    await sql`discard temporary`.execute(connection)
  })
  expect(await db.selectFrom('mail_jobs').select('to').where('status', '=', 'job_status_retry').execute()).not.toEqual(
    [],
  )
  expect(await retryJobs(db, 'mail_jobs', { ids: [id] })).toEqual([id])
})
