import { EventEmitter } from 'node:events'
import { sql } from 'kysely'
import { createRunner, createWorker, limitJobs, pauseJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { quiet } from '../worker/mail-jobs.js'
import { put, shop } from './shop.js'
import { run, start } from './terminal.js'

const { db, url } = await testDatabase(async (db) => {
  await shop(db)
  await put(db, [1, 3], 'not_started', { age: '2 h' })
  await put(db, [11, 12], 'failed', {
    age: '3 h',
    error: 'Connection refused by 10.0.0.1\n    at connect (net.js:1:1)',
  })
  await put(db, [13, 13], 'retry', { age: '-3 h', error: 'timeout' })
  await put(db, [21, 21], 'running')
  await put(db, [1, 1], 'not_started', { age: '1 h', table: 'My shop.Odd "jobs"' })
  await sql`update mail_jobs set tenant_id = id % 2, "to" = 'user' || id, payload = '{"user": {"id": 7}, "sizes": [1, 2]}'`.execute(
    db,
  )
  await sql`update "My shop"."Odd ""jobs""" set "Select" = 'it'`.execute(db)
})

const outer = db
const env = { DATABASE_URL: url }
const look = (...argv: string[]) => run(argv, env)
const json = async (...argv: string[]) => JSON.parse((await look(...argv, '--json')).stdout)

test('status tells of all job tables what is due, for how long, what runs, waits and has failed', async () => {
  expect(await start(['status'], url).ended).toEqual({
    code: 0,
    stderr: '',
    stdout: [
      'TABLE               DUE  OLDEST WAIT  RUNNING  RETRYING  SCHEDULED  FAILED 1H  FAILED 1D  WORKERS',
      'My shop.Odd "jobs"    1          1 h        0         0          0          0          0        0',
      'mail_jobs             3          2 h        1         1          0          0          2        0',
      '',
      'My shop.Odd "jobs": jobs are due, and no runner works it',
      'mail_jobs: jobs are due, and no runner works it',
      '',
    ].join('\n'),
  })
  const { tables } = await json('status', 'mail_jobs')
  expect(tables).toMatchObject([
    {
      table: 'mail_jobs',
      schema: 'public',
      due: { count: 3, is: 'exact' },
      failedLastDay: { count: 2 },
      paused: false,
      workers: [],
    },
  ])
  expect(tables[0].oldestWait).toBeGreaterThan(7_199_000)
})

test('status --watch goes on until Ctrl-C, a line for each table each time, and tells on where the database was away', async () => {
  const program = start(['status', '--table', 'mail_jobs', '--watch', '--every', '50ms'], url)
  await program.said(/(.* mail_jobs due=3 .*\n){3}/)
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kysely-jobs' and datname = current_database()`.execute(
    db,
  )
  await program.said(/(.* mail_jobs due=3 .*\n){6}/)
  program.process.kill('SIGINT')
  expect((await program.ended).code).toBe(0)
})

test('what status --watch can not ask meanwhile is told as by every command, and asked again', async () => {
  const { promise: told, resolve } = Promise.withResolvers<void>()
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  const signals = new EventEmitter()
  const seen = Promise.withResolvers<void>()
  const watching = run(
    ['status', 'mail_jobs', '--watch', '--every', '10ms'],
    { DATABASE_URL: proxy.url },
    { signals, onWrite: (text) => (text.startsWith('kysely-jobs: ') ? resolve() : seen.resolve()) },
  )
  await seen.promise
  await proxy.close()
  await told
  signals.emit('SIGINT')
  const { code, stderr } = await watching
  expect(code).toBe(0)
  expect(stderr).toMatch(/^kysely-jobs: (?:127\.0\.0\.1:\d+ hung up|Nothing listens at 127\.0\.0\.1:\d+): check/)
})

test('in a terminal status --watch is drawn anew', async () => {
  const signals = new EventEmitter()
  const onWrite = () => void signals.emit('SIGINT')
  const { code, stdout } = await run(['status', '--watch', '--every', '1h'], env, {
    isTTY: true,
    columns: 120,
    signals,
    onWrite,
  })
  expect({ code, head: stdout.slice(0, 6) }).toEqual({ code: 0, head: '\u001b[H\u001b[J' })
})

test('status tells what is paused, and who works a table; runners lists them', async () => {
  await pauseJobs(db, 'mail_jobs', { reason: 'the provider is down' })
  const worker = createWorker(db, 'My shop.Odd "jobs"', () => {}, {
    logger: quiet,
    concurrency: 7,
    where: (eb: any) => eb.lit(false),
  } as any)
  const runner = createRunner(db, { workers: [worker] })
  await runner.start()
  onTestFinished(async () => void (await runner.stop()))
  await vi.waitFor(async () => expect((await look('runners')).stdout).toContain('My shop.Odd "jobs"'))
  const { stdout } = await look('status')
  expect(stdout).toContain('mail_jobs: paused (the provider is down)\n')
  expect(stdout).toMatch(/^My shop.Odd "jobs" .* 1 \(0\/7\)$/m)
  expect((await start(['runners'], url).ended).stdout).toMatch(/ running +0\/7 +1 min +off\n/)
  expect((await json('runners')).runners).toMatchObject([
    { pid: process.pid, alive: true, workers: [{ concurrency: 7 }] },
  ])
  expect((await start(['pauses'], url).ended).stdout).toMatch(
    /^mail_jobs +the whole table +\S.* +resumed +the provider is down$/m,
  )
  expect((await json('pauses')).pauses).toMatchObject([
    { table: 'mail_jobs', where: null, reason: 'the provider is down' },
  ])
})

test('limits tells what was set, and how many jobs run of it', async () => {
  expect((await look('limits')).stdout).toBe('No limit is known.\n')
  await limitJobs(db as any, 'mail_jobs', { where: { tenant_id: 1 } as any, max: 4 })
  expect(await start(['limits'], url).ended).toMatchObject({
    ...{ code: 0, stdout: expect.stringMatching(/^mail_jobs {2}tenant_id=1 {8}1 {4}4 {2}limitJobs$/m) },
  })
  expect((await json('limits', 'mail_jobs')).limits).toEqual([
    { table: 'mail_jobs', where: { tenant_id: '1' }, running: 1, max: 4, by: 'limitJobs' },
  ])
})

test('list has a page of jobs, filtered by state and own columns, with the own columns that are asked for', async () => {
  expect(await start(['list', 'mail_jobs', '--state', 'failed', '--columns', 'to,tenant_id'], url).ended).toEqual({
    code: 0,
    stderr: '',
    stdout: [
      'ID  STATE   TRIES  WHEN     to      tenant_id  ERROR',
      '12  failed      1  3 h ago  user12  0          Connection refused by 10.0.0.1',
      '11  failed      1  3 h ago  user11  1          Connection refused by 10.0.0.1',
      '',
    ].join('\n'),
  })
  const ids = async (...argv: string[]) =>
    (await json('list', 'mail_jobs', ...argv)).jobs.map(({ id }: { id: string }) => id)
  expect(await ids('--where', 'tenant_id=1', '--where', 'id<12')).toEqual(['1', '3', '11'])
  expect(await ids('--state', 'failed,retrying', '--sort', 'id', '--desc')).toEqual(['13', '12', '11'])
  expect(await ids('--where', 'payload.user.id=7', '--where', 'to^=user2', '--state', 'running')).toEqual(['21'])
})

test('list goes on where the last one ended', async () => {
  const first = await json('list', 'mail_jobs', '--limit', '5', '--sort', 'id')
  const second = await json('list', 'mail_jobs', '--limit', '5', '--sort', 'id', '--after', first.next)
  expect([first, second].map(({ jobs }) => jobs.map(({ id }: { id: string }) => id))).toEqual([
    ['1', '2', '3', '11', '12'],
    ['13', '21'],
  ])
  expect(second.next).toBeNull()
  const { stderr } = await look('list', 'mail_jobs', '--limit', '5', '--sort', 'id')
  expect(stderr).toBe(`More: --after ${first.next}\n`)
})

test('values are JSON where that loses nothing, and times are those of ISO 8601', async () => {
  const [job] = (await json('list', 'mail_jobs', '--where', 'id=1')).jobs
  expect(job.values).toEqual({ to: 'user1', tenant_id: 1, payload: { user: { id: 7 }, sizes: [1, 2] } })
  expect(job).toMatchObject({ id: '1', state: 'due', attempts: 0, error: null, isArchived: false })
  expect(new Date(job.runAt).getTime()).toBeLessThan(Date.now())
})

test('a table of another schema, whose name needs quotes, is named as SQL does, or shortly', async () => {
  for (const name of ['Odd "jobs"', 'My shop.Odd "jobs"', '"My shop"."Odd ""jobs"""']) {
    const { table, jobs } = await json('list', name, '--where', 'Select=it')
    expect({ table, jobs: jobs.length }).toEqual({ table: 'My shop.Odd "jobs"', jobs: 1 })
  }
  expect((await json('list', 'Odd "jobs"', '--schema', 'My shop')).table).toBe('Odd "jobs"')
})

test('a name that two tables have is refused, and one that none has is answered with the nearest', async () => {
  await using database = await createTestDatabase()
  await sql`create schema a; create schema b`.execute(database.db)
  for (const schema of ['a', 'b']) await createJobTable(database.db, `${schema}.mail_jobs`)
  const list = (...argv: string[]) => run(['list', ...argv], { DATABASE_URL: database.url })
  expect(await list('mail_jobs')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: mail_jobs is the name of a.mail_jobs, b.mail_jobs: name it with its schema\n',
  })
  expect((await list('mail_job')).stderr).toMatch(
    /^kysely-jobs: There is no job table mail_job; did you mean \w.mail_jobs\?\n$/,
  )
  expect((await list()).stderr).toBe('kysely-jobs: Which table? There are a.mail_jobs, b.mail_jobs: name one\n')
  expect((await list('a.mail_jobs')).stdout).toBe('No job matches.\n')
})

test('a database without a job table, and one whose name Kysely can not write, are told', async () => {
  await using database = await createTestDatabase()
  const env = { DATABASE_URL: database.url }
  expect(await run(['status'], env)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('has no job table: createJobTable'),
  })
  await createJobTable(database.db, 'jobs')
  await sql`alter table jobs rename to "a.b"`.execute(database.db)
  await createJobTable(database.db, 'mail_jobs')
  const { code, stdout, stderr } = await run(['status'], env)
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `kysely-jobs: "public"."a.b" is left out: Kysely can't name it; rename it without dots\n`,
  })
  expect(stdout).toContain('\nmail_jobs ')
})

test('show has all of a job, and what has become of it, from whichever table', async () => {
  const { code, stdout } = await start(['show', '11'], url).ended
  expect(code).toBe(0)
  expect(stdout).toContain('11 in mail_jobs: failed\n')
  expect(stdout).toMatch(/^payload +\{\n +"user": \{\n/m)
  expect(stdout).toContain('Connection refused by 10.0.0.1\n    at connect (net.js:1:1)\n')
  expect(stdout).toMatch(/^3 h ago +failed, attempt 1: Connection refused by 10\.0\.0\.1$/m)
  const job = await json('show', '11')
  expect(job).toMatchObject({ table: 'mail_jobs', id: '11', state: 'failed', values: { to: 'user11', tenant_id: 1 } })
  expect(job.timeline.map(({ kind }: { kind: string }) => kind)).toContain('failed')
})

test('an id of no job is exit code 1; one of several tables asks which; none is a mistake', async () => {
  expect(await look('show', '999')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: There is no job "999" in My shop.Odd "jobs", mail_jobs, nor in an archive of it\n',
  })
  expect(await look('show', 'no-id')).toMatchObject({ code: 1, stdout: '' })
  expect(await look('show', '1')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/in each of .*: give --table\n$/),
  })
  expect(await look('show')).toMatchObject({ code: 2, stderr: 'kysely-jobs: Which job? Give its id\n' })
  for (const argv of [
    ['1', '--table', 'mail_jobs'],
    ['mail_jobs', '1'],
  ])
    expect((await look('show', ...argv)).stdout).toContain('1 in mail_jobs: due\n')
})

test('errors groups them by kinds, whose jobs other commands take', async () => {
  const { code, stdout } = await start(['errors', 'mail_jobs'], url).ended
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^KIND +JOBS +FAILED +RETRYING +FIRST SEEN +LAST SEEN +ERROR\n\w+ +2 +2 +0 +3 h ago +3 h ago +Connection refused by/,
  )
  const [{ groups }] = (await json('errors', 'mail_jobs')).tables
  const kind = groups.find(({ count }: { count: number }) => count === 2).fingerprint
  expect((await json('list', 'mail_jobs', '--error', kind)).jobs).toHaveLength(2)
})

test.each([
  [['list', 'mail_jobs', '--where', 'tenant=1'], 'There is no column tenant; did you mean tenant_id?'],
  [['list', 'mail_jobs', '--where', 'tenant_id=x'], 'tenant_id'],
  [['list', 'mail_jobs', '--state', 'faild'], '--state: there is no state faild; did you mean failed?'],
  [['list', 'mail_jobs', '--limit', '0'], '--limit 0 is invalid: give 1 to 10000'],
  [['list', 'mail_jobs', '--after', 'x'], ''],
  [['status', '--every', 'soon'], '--every "soon" is no length of time'],
  [['status', '--watch', '--every', '0s'], '--every 0s is invalid: give 10ms to 1d'],
  [['status', '--watch', '--every', '25d'], '--every 25d is invalid: give 10ms to 1d'],
  [['status', '--table', 'mails'], 'There is no job table mails; '],
])('%j is a mistake: one line, and exit code 2', async (argv, message) => {
  const { code, stdout, stderr } = await look(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  expect(stderr).toContain(message)
})

test('where no table is named, those are meant that the role may read', async () => {
  await using database = await createTestDatabase()
  const { db, name } = database
  for (const table of ['mine', 'theirs']) await createJobTable(db, table, undefined, { id: 'int' })
  const role = `reader_of_${name}`
  await sql.raw(`create role ${role} login; grant select on mine to ${role}`).execute(db)
  onTestFinished(async () => void (await sql.raw(`drop role ${role}`).execute(outer)))
  const reader = new URL(database.url)
  reader.username = role
  const env = { DATABASE_URL: reader.href }
  for (const argv of [['status'], ['list'], ['errors'], ['show', '1']]) {
    const { stdout, stderr } = await run([...argv, '--json'], env)
    expect(stdout + stderr).toContain('mine')
    expect(stdout + stderr).not.toContain('theirs')
  }
  expect(await run(['status', 'theirs'], env)).toEqual({
    code: 2,
    stdout: '',
    stderr: `kysely-jobs: The user ${role} may not do this (permission denied for table theirs): grant it, or use another\n`,
  })
  await sql.raw(`drop owned by ${role}`).execute(db)
  expect(await run(['status'], env)).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: This role may read no job table: grant it SELECT on mine, theirs, or use another\n',
  })
})

test('the id of a job may be a URL', async () => {
  await using database = await createTestDatabase()
  await sql`create table jobs (id text primary key, status text not null default 'job_status_not_started', attempts_count int not null default 0,
    last_error text, created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    run_at timestamptz not null default now(), locked_at timestamptz, locked_by uuid)`.execute(database.db)
  await sql`insert into jobs (id) values ('https://shop.example/orders/7')`.execute(database.db)
  expect(await run(['show', 'https://shop.example/orders/7'], { DATABASE_URL: database.url })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^https:\/\/shop\.example\/orders\/7 in jobs: due\n/),
  })
})

test('no text of the database reaches the terminal as a command to it', async () => {
  await using database = await createTestDatabase()
  await createJobTable(database.db, 'jobs', (table) => table.addColumn('note', 'text'), { id: 'int' })
  const evil = '\u001b]0;owned\u0007\u009b31m\r\u202eabc'
  await put(database.db, [1, 1], 'failed', { error: evil, table: 'jobs' })
  await database.db
    .updateTable('jobs')
    .set({ note: `${evil}\nnext` })
    .execute()
  const env = { DATABASE_URL: database.url }
  for (const argv of [
    ['list'],
    ['show', '1'],
    ['errors'],
    ['list', '--json'],
    ['show', '1', '--json'],
    ['errors', '--json'],
  ]) {
    const { code, stdout } = await run(argv, env)
    expect({ argv, code }).toEqual({ argv, code: 0 })
    expect(stdout).toContain('owned')
    expect(stdout).not.toMatch(/[^\P{C}\n]/u)
  }
  const odd = 'jobs\u001b]0;owned\u0007'
  await createJobTable(database.db, odd, undefined, { id: 'int' })
  for (const argv of [
    ['status'],
    ['list'],
    ['retry', odd, '--all'],
    ['retry', odd, '--id', '1', '--dry-run'],
    ['prune', odd, '--older-than', '1d', '--yes'],
    ['show', '7', '--table', odd],
  ]) {
    const { stdout, stderr } = await run(argv, env)
    expect(stdout + stderr).toContain('jobs\\u001b]0;owned')
    expect(stdout + stderr).not.toMatch(/[^\P{C}\n]/u)
  }
})
