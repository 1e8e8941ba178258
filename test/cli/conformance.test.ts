import { EventEmitter } from 'node:events'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { everything } from '../conformance/suite.js'
import { blocksIn } from '../readme/blocks.js'
import { testDatabase } from '../support/database.js'
import { run } from './terminal.js'

const { db, url } = await testDatabase()

const conformance = (...more: string[]) => run(['conformance', ...more], { DATABASE_URL: url })

/** Whatever becomes of a job in a table that is made from now on, it is written as a failure. */
async function breakTables() {
  await sql`create schema faults;
    create function faults.fail() returns trigger language plpgsql as
      $$ begin if new.status = 'job_status_succeeded' then new.status := 'job_status_failed'; end if; return new; end $$;
    create function faults.put() returns event_trigger language plpgsql as
      $$ declare made record; begin
        for made in select * from pg_event_trigger_ddl_commands() where object_type = 'table' loop
          execute format('create trigger fault before update on %s for each row execute function faults.fail()', made.object_identity);
        end loop;
      end $$;
    create event trigger fault on ddl_command_end when tag in ('CREATE TABLE') execute function faults.put()`.execute(
    db,
  )
  onTestFinished(async () => {
    await sql`drop event trigger fault; drop schema faults cascade`.execute(db)
  })
}

test('it prints the server, and of each promise whether it holds', async () => {
  const { code, stdout, stderr } = await conformance('--only', 'settle', '--only', 'fence')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(
    /^PostgreSQL \d+\.\d+.*\n\nPROMISE {2}RESULT {2}WHAT IS PROMISED\nfence {4}holds {3}Who has lost a job .*\nsettle {3}holds {3}Each outcome .*\n\n2 holds\.\n$/,
  )
})

test('a promise that is broken is printed with the reason, in red where somebody looks, and the exit code is 1', async () => {
  await breakTables()
  const before = await everything(url)
  const { code, stdout } = await conformance('--only', 'settle', '--only', 'fence')
  expect(code).toBe(1)
  expect(stdout).toMatch(/\nsettle {3}BROKEN {2}Each/)
  expect(stdout).toMatch(
    /\n\nsettle BROKEN: succeeded: expected \["job_status_succeeded",.*\], saw \["job_status_failed",.*\]\n\n1 holds, 1 broken\.\n$/,
  )
  const seen = await run(['conformance', '--only', 'settle'], { DATABASE_URL: url }, { isTTY: true })
  expect(seen.stdout).toContain('\u001b[31mBROKEN\u001b[39m')
  expect(await everything(url)).toEqual(before)
})

test('--json prints the server, and each promise with what became of it', async () => {
  const { code, stdout } = await conformance('--only', 'count', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    server: { name: 'PostgreSQL', version: expect.stringMatching(/^\d+\.\d+/), placement: { kind: 'local' } },
    promises: [
      { name: 'count', promise: 'Jobs are counted by their state', verdict: 'holds', took: expect.any(Number) },
    ],
  })
})

test('Ctrl-C stops it; it prints what it has found, and leaves nothing behind', async () => {
  const before = await everything(url)
  const signals = new EventEmitter()
  const asked = run(['conformance'], { DATABASE_URL: url }, { signals })
  const made = () => sql`select from pg_class where relname = 'jobs' and relkind = 'r'`.execute(db)
  await expect.poll(async () => (await made()).rows.length).toBe(1)
  signals.emit('SIGINT')
  expect(await asked).toMatchObject({ code: 1, stderr: 'kysely-jobs: stopped; nothing is left behind\n' })
  expect(await everything(url)).toEqual(before)
})

test.each([
  [['--only', 'wakeup'], 'kysely-jobs: --only "wakeup": there is no such promise; did you mean wake?\n'],
  [['--only', 'xyzzy'], /there is no such promise; there are enqueue, claim, .*, plans\n$/],
  [['--listen', 'localhost'], /The database URL is no Postgres URL/],
  [
    ['postgres://ada:s3cret@localhost/shop'],
    /^kysely-jobs: conformance takes no arguments: the database is given as --url <url>.*\nSee kysely-jobs conformance --help\n$/,
  ],
  [
    ['--url', 'postgres://ada:s3cret@127.0.0.1:1/shop'],
    'kysely-jobs: Nothing listens at 127.0.0.1:1: check host and port, and that the server is running\n',
  ],
])('%j is a mistake of the command line, or of the way to the server', async (argv, said) => {
  const { code, stdout, stderr } = await conformance(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  if (typeof said === 'string') expect(stderr).toBe(said)
  else expect(stderr).toMatch(said)
  expect(stderr).not.toContain('s3cret')
})

test('a role that may make no schema is told so', async () => {
  const role = `nobody_${Date.now()}`
  await sql`create role ${sql.id(role)} login`.execute(db)
  onTestFinished(async () => {
    await sql`drop role ${sql.id(role)}`.execute(db)
  })
  const own = Object.assign(new URL(url), { username: role }).href
  expect(await conformance('--url', own)).toEqual({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^kysely-jobs: The user ${role} may not do this \\(permission denied for database`),
    ),
  })
})

test('the page shows what it prints', async () => {
  const [sample] = blocksIn('console', 'docs/conformance.md')
  const { stdout } = await conformance()
  const [, printed] = /^.*\n(PostgreSQL.*)$/s.exec(sample?.text ?? '') ?? []
  expect(stdout.replace(/^PostgreSQL .*/, 'PostgreSQL 18.4')).toBe(printed)
})
