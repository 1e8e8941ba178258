import { EventEmitter } from 'node:events'
import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'
import { put, shop } from './shop.js'
import { run, start } from './terminal.js'

const { db, url } = await testDatabase(shop)
const env = { DATABASE_URL: url }
const said = (...argv: string[]) => run(argv, env)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await put(db, [1, 3], 'not_started', { age: '-2 h' })
  await put(db, [11, 14], 'failed', { age: '10 d', error: 'no such host' })
  await put(db, [21, 21], 'retry', { age: '-1 h', error: 'timeout' })
  await put(db, [31, 31], 'running')
  await put(db, [41, 42], 'succeeded', { age: '1 h' })
  await sql`update mail_jobs set tenant_id = id % 2`.execute(db)
})

const statuses = async () => {
  const jobs = await db.selectFrom('mail_jobs').select(['id', 'status']).orderBy('id').execute()
  return Object.fromEntries(jobs.map(({ id, status }) => [id, status.replace('job_status_', '')]))
}

const before = {
  ...{ 1: 'not_started', 2: 'not_started', 3: 'not_started', 11: 'failed', 12: 'failed', 13: 'failed', 14: 'failed' },
  ...{ 21: 'retry', 31: 'running', 41: 'succeeded', 42: 'succeeded' },
}

test('retry lets those run again that are meant, once it was said so', async () => {
  const argv = ['retry', 'mail_jobs', '--state', 'failed', '--where', 'tenant_id=1']
  const unasked = await start(argv, url).ended
  expect(unasked).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: 2 jobs of mail_jobs would be retried; nothing was done: give --yes to do it\n',
  })
  expect(await statuses()).toEqual(before)
  expect(await said(...argv, '--dry-run')).toEqual({
    code: 0,
    stdout: '2 jobs of mail_jobs would be retried\n',
    stderr: '',
  })
  expect(await statuses()).toEqual(before)
  expect(await start([...argv, '--yes'], url).ended).toEqual({
    code: 0,
    stdout: '2 jobs of mail_jobs retried\n',
    stderr: '',
  })
  expect(await statuses()).toEqual({ ...before, 11: 'not_started', 13: 'not_started' })
})

test.each([
  ['y\n', 0, '1 job of mail_jobs cancelled\n', 'cancelled'],
  ['YES\n', 0, '1 job of mail_jobs cancelled\n', 'cancelled'],
  ['\n', 2, '', 'running'],
  ['no\n', 2, '', 'running'],
  ['', 2, '', 'running'],
])('who sits at a terminal is asked, and answers %j', async (input, code, stdout, status) => {
  const argv = ['cancel', 'mail_jobs', '--state', 'running', '--reason', 'enough']
  const answer = await run(argv, { ...env, NO_COLOR: '1' }, { isTTY: true, input })
  expect(answer).toMatchObject({
    code,
    stdout,
    stderr: expect.stringMatching(/^Cancel 1 job of mail_jobs\? \[y\/N\] /),
  })
  expect((await statuses())[31]).toBe(status)
  if (code === 0) {
    const job = await db.selectFrom('mail_jobs').select('last_error').where('id', '=', 31).executeTakeFirst()
    expect(job?.last_error).toBe('Cancelled: enough')
  }
})

test('jobs that are named are changed, and the exit code tells of those that are none', async () => {
  expect(await said('delete', 'mail_jobs', '--id', '41', '--id', '31', '--id', '999', '--yes')).toEqual({
    code: 1,
    stdout: '1 job of mail_jobs deleted\n',
    stderr: 'No job that can be deleted has the id\n  31\n  999\n',
  })
  const { 41: _, ...rest } = before
  expect(await statuses()).toEqual(rest)
  const { code, stdout } = await said('delete', 'mail_jobs', '--id', '42', '--id', '999', '--yes', '--json')
  expect({ code, ...JSON.parse(stdout) }).toEqual({
    code: 1,
    ...{ table: 'mail_jobs', verb: 'delete', changed: 1, refused: [], unmatched: ['999'], stopped: false },
  })
})

test('an id is known again however it is written, and what can be none is a mistake', async () => {
  expect(await said('retry', 'mail_jobs', '--id', '0011', '--id', '11', '--id', ' 12', '--yes')).toEqual({
    code: 0,
    stdout: '2 jobs of mail_jobs retried\n',
    stderr: '',
  })
  await createJobTable(db, 'uuid_jobs')
  const { id } = await db.insertInto('uuid_jobs').defaultValues().returning('id').executeTakeFirstOrThrow()
  expect(await said('delete', 'uuid_jobs', '--id', id.toUpperCase(), '--yes')).toMatchObject({ code: 0, stderr: '' })
  for (const none of ['abc', '', '99999999999'])
    expect(await said('retry', 'mail_jobs', '--id', none, '--yes')).toEqual({
      code: 2,
      stdout: '',
      stderr: `kysely-jobs: id: "${none}" is no value of type integer; give a whole number from -2147483648 to 2147483647\n`,
    })
  await sql`drop table uuid_jobs`.execute(db)
})

test('run makes jobs due now, and reschedule later, or at another priority', async () => {
  expect(await start(['run', 'mail_jobs', '--id', '1', '--yes'], url).ended).toMatchObject({
    code: 0,
    stdout: '1 job of mail_jobs made due now\n',
  })
  const { code, stdout } = await start(
    ['reschedule', 'mail_jobs', '--where', 'id in 2,3', '--to', '2030-01-01T00:00+01:00', '--priority', '5', '--yes'],
    url,
  ).ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: '2 jobs of mail_jobs rescheduled\n' })
  await said('reschedule', 'mail_jobs', '--state', 'retrying', '--to', '3d', '--yes')
  const rows =
    await sql`select id, run_at <= now() as due, run_at > now() + '2 days' as late, run_at = '2029-12-31 23:00Z' as exact, priority from mail_jobs where id in (1, 2, 3, 21) order by id`.execute(
      db,
    )
  expect(rows.rows).toEqual([
    { id: 1, due: true, late: false, exact: false, priority: 0 },
    { id: 2, due: false, late: true, exact: true, priority: 5 },
    { id: 3, due: false, late: true, exact: true, priority: 5 },
    { id: 21, due: false, late: true, exact: false, priority: 0 },
  ])
})

test('jobs of one kind of error are retried, after a delay', async () => {
  const { tables } = JSON.parse((await said('errors', 'mail_jobs', '--json')).stdout)
  const kind = tables[0].groups.find(({ message }: { message: string }) => message === 'no such host').fingerprint
  expect((await said('retry', 'mail_jobs', '--error', kind, '--delay', '5m', '--yes')).stdout).toBe(
    '4 jobs of mail_jobs retried\n',
  )
  const { rows } =
    await sql`select count(*)::int as count from mail_jobs where id between 11 and 14 and run_at > now() + '4 min'`.execute(
      db,
    )
  expect(rows).toEqual([{ count: 4 }])
})

test('tomorrow is the next midnight of UTC', async () => {
  expect((await said('reschedule', 'mail_jobs', '--id', '1', '--to', 'tomorrow', '--yes')).code).toBe(0)
  const { rows } = await sql`select run_at > now() and run_at <= now() + interval '1 d' as soon,
    (run_at at time zone 'UTC')::time::text as at from mail_jobs where id = 1`.execute(db)
  expect(rows).toEqual([{ soon: true, at: '00:00:00' }])
})

test('prune deletes what ended long ago', async () => {
  const argv = ['prune', 'mail_jobs', '--older-than', '7d']
  expect(await start(argv, url).ended).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('4 jobs of mail_jobs would be deleted'),
  })
  for (const week of ['7d', '1w', '1 week', '7 days', '168 hours', '10080min'])
    expect(await said('prune', 'mail_jobs', '--older-than', week, '--dry-run')).toMatchObject({
      code: 0,
      stdout: '4 jobs of mail_jobs would be deleted\n',
    })
  expect(await said(...argv, '--state', 'succeeded', '--yes')).toMatchObject({
    code: 0,
    stdout: '0 jobs of mail_jobs deleted\n',
  })
  expect(await statuses()).toEqual(before)
  const { code, stdout } = await start([...argv, '--yes', '--json'], url).ended
  expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, table: 'mail_jobs', deleted: 4, stopped: false })
  expect(Object.keys(await statuses())).toEqual(['1', '2', '3', '21', '31', '41', '42'])
})

test('prune tells exactly how many there are, and that it leaves the archive alone', async () => {
  await using database = await createTestDatabase()
  await createIhpTable(database.db)
  await sql`insert into send_mail_jobs (status, updated_at, recipient) select 'job_status_failed', now() - interval '9 d', 'ada' from generate_series(1, 20001)`.execute(
    database.db,
  )
  const argv = ['prune', 'send_mail_jobs', '--older-than', '7d']
  const env = { DATABASE_URL: database.url }
  expect(await run(argv, env)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(': 20,001 jobs of send_mail_jobs would be deleted;'),
  })
  expect(await run([...argv, '--dry-run', '--json'], env)).toEqual({
    code: 0,
    stdout: '{"table":"send_mail_jobs","verb":"prune","matched":20001}\n',
    stderr: '',
  })
  // Its status has no such value.
  expect(await run([...argv, '--state', 'cancelled', '--yes'], env)).toEqual({
    code: 0,
    stdout: '0 jobs of send_mail_jobs deleted\n',
    stderr: '',
  })
  expect((await said('prune', 'mail_jobs', '--older-than', '1d', '--yes')).stderr).toBe(
    'The archive of mail_jobs is left alone: old jobs go with its partitions.\n',
  )
})

test('what the table refuses is told, and stops no other', async () => {
  await sql`alter table mail_jobs add constraint keep_priority check (priority < 10)`.execute(db)
  await db.updateTable('mail_jobs').set({ priority: 9 }).where('id', '=', 1).execute()
  await sql`alter table mail_jobs drop constraint keep_priority`.execute(db)
  await sql`alter table mail_jobs add constraint keep_priority check (id <> 2 or priority = 0)`.execute(db)
  try {
    const { code, stdout, stderr } = await said(
      'reschedule',
      'mail_jobs',
      '--state',
      'scheduled',
      '--priority',
      '4',
      '--yes',
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '2 jobs of mail_jobs rescheduled\n' })
    expect(stderr).toMatch(
      /^1 were refused by the table:\n {2}2: new row for relation "mail_jobs" violates check constraint/,
    )
  } finally {
    await sql`alter table mail_jobs drop constraint keep_priority`.execute(db)
  }
})

test('Ctrl-C stops a run after its chunk, and it is told how far it came', async () => {
  await using database = await createTestDatabase()
  await createJobTable(database.db, 'jobs', undefined, { id: 'int' })
  await put(database.db, [1, 5_000], 'failed', { table: 'jobs' })
  const signals = new EventEmitter()
  await sql`
    create function tell() returns trigger language plpgsql as $$ begin perform pg_notify('chunk', ''); return null; end $$;
    create trigger tell after update on jobs for each statement execute function tell()`.execute(database.db)
  const client = await database.pool.connect()
  await client.query('listen chunk')
  client.on('notification', () => signals.emit('SIGINT'))
  const { code, stdout, stderr } = await run(
    ['retry', 'jobs', '--all', '--yes', '--json'],
    { DATABASE_URL: database.url },
    { signals },
  )
  client.release(true)
  const { changed, stopped } = JSON.parse(stdout)
  expect({ code, stopped, stderr }).toEqual({ code: 1, stopped: true, stderr: '' })
  const { rows } = await sql<{
    count: number
  }>`select count(*)::int as count from jobs where status = 'job_status_not_started'`.execute(database.db)
  expect(rows).toEqual([{ count: changed }])
  expect(changed).toBeGreaterThanOrEqual(1_000)
  expect(changed).toBeLessThan(5_000)
})

test.each([
  ['retried', ['retry', 'jobs', '--all']],
  ['deleted', ['prune', 'jobs', '--older-than', '1d']],
])('where something goes wrong on the way, it is told how many were %s before', async (done, argv) => {
  await using database = await createTestDatabase()
  await createJobTable(database.db, 'jobs', undefined, { id: 'int' })
  await put(database.db, [1, 3_000], 'failed', { table: 'jobs', age: '2 d' })
  await sql`
    create table chunks (n int);
    create function fail() returns trigger language plpgsql as $$ begin
      insert into chunks values (1);
      if (select count(*) from chunks) > 1 then raise exception 'the disk is full' using errcode = '53100'; end if;
      return null; end $$;
    create trigger fail after update or delete on jobs for each statement execute function fail()`.execute(database.db)
  expect(await run([...argv, '--yes'], { DATABASE_URL: database.url })).toEqual({
    code: 1,
    stdout: '',
    stderr: `1,000 jobs of jobs ${done} before\nkysely-jobs: the disk is full\n`,
  })
})

test('a table of another schema, whose name needs quotes', async () => {
  await put(db, [7, 8], 'failed', { table: 'My shop.Odd "jobs"' })
  await sql`update "My shop"."Odd ""jobs""" set "Select" = id::text`.execute(db)
  const { code, stdout } = await start(['retry', '"My shop"."Odd ""jobs"""', '--where', 'Select=7', '--yes'], url).ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: '1 job of My shop.Odd "jobs" retried\n' })
})

test.each([
  [['retry', 'mail_jobs'], 'Which jobs? Give --id, --state, --where or --error, or --all for all of them'],
  [['retry', 'mail_jobs', '--id', '1', '--state', 'failed'], 'Which jobs? Give either --id, or filters'],
  [['delete', 'mail_jobs', '--all', '--id', '1'], 'Which jobs? Give either --id or --all'],
  [['retry', 'mail_jobs', '--state', 'running'], '--state: no running job can be retried; there are '],
  [
    ['run', 'mail_jobs', '--state', 'failed'],
    '--state: no failed job can be made due now; there are due, scheduled, retrying',
  ],
  [['reschedule', 'mail_jobs', '--id', '1'], 'To when? Give --to, or --priority'],
  [['reschedule', 'mail_jobs', '--id', '1', '--to', 'soon'], '--to "soon" is no time: '],
  [['reschedule', 'mail_jobs', '--id', '1', '--priority', 'high'], '--priority high is invalid'],
  [['retry', 'mail_jobs', '--id', '1', '--delay', 'x'], '--delay "x" is no length of time'],
  [['prune', 'mail_jobs'], 'How old? Give --older-than'],
  [['prune', 'mail_jobs', '--older-than', 'x'], '--older-than "x" is no length of time'],
  [['prune', 'mail_jobs', '--older-than', '1d', '--state', 'running'], '--state: running jobs have not ended'],
  [['cancel', '--id', '1'], 'Which table? There are '],
])('%j changes nothing: one line, and exit code 2', async (argv, message) => {
  const { code, stdout, stderr } = await said(...argv, '--yes')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  expect(stderr).toContain(message)
  expect(await statuses()).toEqual(before)
})

test('where no job matches, there is nothing to ask, and nothing wrong', async () => {
  expect(await said('retry', 'mail_jobs', '--where', 'tenant_id=99')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'No job of mail_jobs matches that can be retried.\n',
  })
  const { code, stdout } = await said('retry', 'mail_jobs', '--where', 'tenant_id=99', '--json')
  expect({ code, ...JSON.parse(stdout) }).toEqual({
    code: 0,
    ...{ table: 'mail_jobs', verb: 'retry', changed: 0, refused: [], unmatched: [], stopped: false },
  })
})
