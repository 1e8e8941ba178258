import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { findingsText } from '../../src/cli/findings-text.js'
import { type Finding, finding } from '../../src/doctor/finding.js'
import { paste } from '../doctor/examining.js'
import { userProject } from '../readme/user-project.js'
import { testDatabase } from '../support/database.js'
import { run, start } from './terminal.js'

const database = await testDatabase()
const { db, url } = database
const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))

const odd = 'Odd "jobs\n; drop table precious; --'

beforeEach(async () => {
  await sql`drop schema public cascade; create schema public; create table precious (id int)`.execute(db)
  await createJobTable(db, 'mail_jobs')
  await createJobTable(db, odd)
})

const doctor = (...more: string[]) => run(['doctor', ...more], { DATABASE_URL: url })

/** One warning with SQL, one error that people mend, one piece of advice. */
async function breakAll() {
  await sql`drop index job_running_mail_jobs; alter table mail_jobs reset (fillfactor);
    insert into mail_jobs (run_at) values (now() - interval '1 hour')`.execute(db)
  await sql`alter table ${sql.id(odd)} disable trigger user`.execute(db)
}

test('where all is well it says so, and exits with 0', async () => {
  const { code, stdout, stderr } = await doctor()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^Nothing is wrong with .*mail_jobs.*, nor with the server\.\n$/)
  expect(await doctor('--json')).toEqual({ code: 0, stdout: '[]\n', stderr: '' })
})

test('what is wrong is grouped by how bad it is, with its cause and its remedy, and the exit code is 1', async () => {
  await breakAll()
  const { code, stdout, stderr } = await doctor()
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(stdout).toMatch(/^ERRORS\n\n {2}unserved-jobs\n.*\n\nWARNINGS\n\n {2}.*\n\nADVICE\n\n {2}storage-settings\n/s)
  expect(stdout).toContain(
    `  missing-index
  The index job_running_mail_jobs is missing.
  Claims, heartbeats or rescues read the table, and take longer with each job that it has ever had.
  Make them; the table stays usable while they are built.
      create index concurrently "job_running_mail_jobs" on "public"."mail_jobs" (locked_by) where status in ('job_status_running');
      in a migration: await createJobIndexes(db, 'mail_jobs', { concurrently: true })
`,
  )
  expect(stdout).toMatch(
    /\n1 error, 2 warnings, 1 piece of advice\. kysely-jobs doctor --fix-sql prints the SQL as one script\.\n$/,
  )
  expect(stdout).not.toContain('\n; drop table')
})

test('advice alone is no reason to fail a build', async () => {
  await sql`alter table mail_jobs reset (fillfactor)`.execute(db)
  expect(await doctor()).toMatchObject({ code: 0, stdout: expect.stringContaining('1 piece of advice.') })
})

test('the script of --fix-sql mends all that SQL can, whatever tables are called', async () => {
  await breakAll()
  const { code, stdout } = await doctor('--fix-sql')
  expect(code).toBe(1)
  const statements = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('--'))
  expect(stdout).toContain('\n-- By hand: Start a worker for it')
  expect(statements.length).toBeGreaterThanOrEqual(3)
  // As psql does: each statement by itself. A table's name may hold a line break and a semicolon, in its quotes.
  await paste(
    database,
    stdout
      .replaceAll(/^--.*$/gm, '')
      .split(/;\n(?!; drop| drop)/)
      .filter((text) => text.trim() !== ''),
  )
  expect((await sql`select from precious`.execute(db)).rows).toEqual([])
  const after: Finding[] = JSON.parse((await doctor('--json')).stdout)
  expect(after.map((each) => each.code)).toEqual(['unserved-jobs'])
})

test('--json prints the findings with their code, severity, table, sentences and SQL', async () => {
  await sql`drop index job_running_mail_jobs`.execute(db)
  const { code, stdout } = await doctor('--json', '--table', 'mail_jobs')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toEqual([
    {
      code: 'missing-index',
      severity: 'warning',
      table: { schema: 'public', name: 'mail_jobs' },
      what: 'The index job_running_mail_jobs is missing.',
      why: expect.any(String),
      remedy: expect.any(String),
      sql: [expect.stringContaining('create index concurrently')],
      migration: expect.stringContaining('createJobIndexes'),
    },
  ])
})

test('--table examines that one alone, --listen proves that a notification is heard', async () => {
  await breakAll()
  await createJobTable(db, 'calm_jobs')
  expect(await doctor('calm_jobs', '--listen', url)).toMatchObject({ code: 0 })
  expect(await doctor('--table', 'public.calm_jobs', '--listen', 'postgres://ada:s3cret@127.0.0.1:1/x')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/cannot-listen\n.*Nothing listens at 127\.0\.0\.1:1/),
  })
})

test('the settings of the folder name the database, and the tables that are examined', async () => {
  await breakAll()
  await createJobTable(db, 'calm_jobs')
  const named = (text: string, ...argv: string[]) =>
    start(['doctor', ...argv], '', { cwd: userProject({ 'kysely-jobs.config.ts': text }) }).ended
  expect(await named(`export default { url: '${url}', tables: ['calm_jobs'] }`)).toEqual({
    code: 0,
    stdout: 'Nothing is wrong with calm_jobs, nor with the server.\n',
    stderr: '',
  })
  expect((await named(`export default { url: '${url}' }`)).code).toBe(1)
  expect((await named(`export default { url: '${url}', tables: ['calm_jobs'] }`, '--table', 'mail_jobs')).code).toBe(1)
  expect(await named(`export default { url: '${url}', schema: 'none' }`, '--table', 'calm_jobs')).toMatchObject({
    code: 0,
    stdout: 'Nothing is wrong with public.calm_jobs, nor with the server.\n',
  })
  const argv = ['generate', '--table', 'calm_jobs']
  const cwd = userProject({ 'ops.mjs': `export default { url: '${url}' }` })
  expect(await start([...argv, '--config', 'ops.mjs'], '', { cwd }).ended).toMatchObject({ code: 0, stderr: '' })
})

test('a table may be named as SQL does, and one that lacks a column is examined too', async () => {
  await sql`create schema "My shop"`.execute(db)
  await createJobTable(db, 'My shop.Jobs')
  expect(await doctor('--table', '"My shop"."Jobs"')).toMatchObject({ code: 0 })
  await sql`alter table "My shop"."Jobs" drop locked_at; drop index if exists "My shop"."x"`.execute(db)
  expect(await doctor('--table', 'My shop.Jobs')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("column 'locked_at' is missing"),
  })
  await sql`drop schema "My shop" cascade`.execute(db)
})

test('--types finds out whether a generated file is up to date, for the tables that it was made for', async () => {
  const file = join(folder, 'db.ts')
  await run(['generate', '--out', file, '--table', 'mail_*', '--url', url])
  expect(await doctor('--types', file)).toMatchObject({ code: 0 })
  await sql`alter table mail_jobs add more text`.execute(db)
  expect(await doctor('--types', file)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`types-out-of-date\n  ${file} differs from the database by 1 line.\n`),
  })
  expect((await doctor('--types', file)).stdout).toContain(`npx kysely-jobs generate --out ${file} --table 'mail_*'`)
  writeFileSync(file, '// somebody’s own')
  expect(await doctor('--types', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('was not made by') })
  expect(await doctor('--types', `${file}.no`)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('does not exist'),
  })
})

test.each([
  [['--ouT', 'x'], "Unknown option '--ouT'"],
  [['--json', '--fix-sql'], '--json and --fix-sql are two forms of the same'],
  [['postgres://ada:s3cret@localhost/shop'], 'doctor takes tables: the database is given as --url'],
])('%j makes no sense: where the help is, and exit code 2', async (argv, message) => {
  const { code, stdout, stderr } = await doctor(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`kysely-jobs: ${message}`)
  expect(stderr).toMatch(/\nSee kysely-jobs doctor --help\n$/)
  expect(stderr).not.toContain('s3cret')
})

test.each([
  [['--url', 'postgres://ada:s3cret@127.0.0.1:1/shop'], 'Nothing listens at 127.0.0.1:1'],
  [['--url', 'mysql://ada:s3cret@localhost/shop'], 'The database URL is no Postgres URL'],
  [['--listen', 'mysql://ada:s3cret@localhost/shop'], 'The database URL is no Postgres URL'],
  [['--table', 'no_such'], 'There is no table "no_such" in this database: create it'],
  [['--table', 'mail_job'], 'There is no table mail_job; did you mean mail_jobs?'],
])('%j can be examined by nobody: one line, exit code 2, no password', async (argv, message) => {
  const { code, stdout, stderr } = await doctor(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain('s3cret')
})

test('colours are for terminals alone', () => {
  const some = [finding('standby', { what: 'What\u001b[2J\u202e.', why: 'Why.', remedy: 'How.' })]
  expect(findingsText(some, true)).toContain('\u001b[1m\u001b[31mERRORS')
  expect(findingsText(some, true)).toContain('What\ufffd[2J\ufffd.')
  expect(findingsText(some, false)).not.toContain('\u001b')
})
