import { join } from 'node:path'
import { expect, test } from 'vitest'
import { userProject } from '../readme/user-project.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { put, shop } from './shop.js'
import { run, start } from './terminal.js'

const { url } = await testDatabase(async (db) => {
  await shop(db)
  await put(db, [1, 1], 'failed', { error: 'the token is secret' })
  await db.updateTable('mail_jobs').set({ to: 'ada', tenant_id: 7 }).execute()
})

const named = (text: string, argv: readonly string[], { file = 'kysely-jobs.config.ts', database = '' } = {}) =>
  start(argv, database, { cwd: userProject({ [file]: text }) }).ended

test.each(['kysely-jobs.config.ts', 'kysely-jobs.config.mts', 'kysely-jobs.config.js', 'kysely-jobs.config.mjs'])(
  '%s of the folder names the database, and the tables that commands are about',
  async (file) => {
    const { code, stdout } = await named(`export default { url: '${url}', tables: ['mail_jobs'] }`, ['status'], {
      file,
    })
    expect(code).toBe(0)
    expect(stdout).toContain('mail_jobs')
    expect(stdout).not.toContain('Odd')
  },
)

test('a file of another name is told by --config; a table beyond it can be named', async () => {
  const text = `export default { tables: { mail_jobs: { columns: ['to'], hide: ['tenant_id'] } } }`
  const argv = ['list', '--config', 'ops.ts']
  const { stdout } = await named(text, argv, { file: 'ops.ts', database: url })
  expect(stdout).toMatch(/^ID +STATE +TRIES +WHEN +to +ERROR\n/)
  const other = await named(text, [...argv, '--table', 'Odd "jobs"'], { file: 'ops.ts', database: url })
  expect(other).toMatchObject({ code: 0, stdout: 'No job matches.\n' })
})

test.each(['last_error', 'lastError'])(
  'a hidden column is neither shown nor filtered by, called %s too',
  async (hidden) => {
    const text = `export default { tables: { mail_jobs: { hide: ['to', '${hidden}'] } } }`
    for (const argv of [
      ['list'],
      ['show', '1'],
      ['show', '1', '--json'],
      ['list', '--json'],
      ['errors'],
      ['errors', '--json'],
    ]) {
      const { code, stdout } = await named(text, argv, { database: url })
      expect({ argv, code }).toEqual({ argv, code: 0 })
      expect(stdout).not.toMatch(/ada|secret/)
    }
    expect(await named(text, ['list', '--where', 'to=ada'], { database: url })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no column to'),
    })
  },
)

test('what a file of settings prints is no part of the answer, and it may be a promise', async () => {
  const text = `console.log('loading'); console.info('it'); export default Promise.resolve({ tables: ['mail_jobs'] })`
  const { code, stdout, stderr } = await named(text, ['status', '--json'], { database: url })
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'loading\nit\n' })
  expect(JSON.parse(stdout).tables).toHaveLength(1)
})

test('a password is not printed, whoever has it in a text', async () => {
  const secret = 'postgres://ada:s3cr@t/x@127.0.0.1:1/shop?sslmode=require'
  const folder = userProject({ 'throws.mjs': `throw new Error('can not reach ${secret}')` })
  for (const argv of [
    ['status', '--config', join(folder, 'throws.mjs')],
    ['dashboard', '--port', secret],
    ['list', 'mail_jobs', '--where', `to ${secret}`],
    ['list', 'mail_jobs', '--limit', 'postgres://shop?user=ada&password=s3cr@t'],
    ['status', '--every', secret],
    ['show', secret],
    ['enqueue', 'mail_jobs', '--values', `"${secret}"`],
  ]) {
    const { code, stderr } = await run(argv, { DATABASE_URL: url })
    expect({ argv, code: code === 0 }).toEqual({ argv, code: false })
    expect(stderr).not.toContain('s3cr')
  }
})

test('--url goes before DATABASE_URL, and that before the file', async () => {
  await using empty = await createTestDatabase()
  const text = `export default { url: '${empty.url}' }`
  expect((await named(text, ['status', '--url', url], { database: empty.url })).code).toBe(0)
  expect((await named(text, ['status'], { database: url })).code).toBe(0)
  expect((await named(text, ['status'])).stderr).toContain('This database has no job table')
})

test.each([
  ['export const a = 1', 'it is invalid: write export default { url, '],
  ['export default { urls: 1 }', 'urls: no such option; there are url, schema, tables'],
  ['export default { url: 1 }', 'url is invalid: give a text'],
  ['export default { tables: 1 }', "tables is invalid: write tables: ['mail_jobs']"],
  [
    'export default { tables: { mail_jobs: { column: [] } } }',
    'tables.mail_jobs.column: no such option; there are columns, hide',
  ],
  ['export default { tables: { mail_jobs: { hide: 1 } } }', 'tables.mail_jobs.hide is invalid: give names of columns'],
  ["export default { tables: { mail_jobs: { hide: ['status'] } } }", 'no job can be shown without status'],
  ["throw new Error('no key')", "kysely-jobs.config.ts can't be loaded: no key"],
  ["export default { tables: ['mails'] }", 'There is no job table mails'],
])('%s is a mistake: one line, and exit code 2', async (text, message) => {
  const { code, stdout, stderr } = await named(text, ['errors'], { database: url })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  expect(stderr).toContain(message)
})

test('a file that is named and not there is a mistake', async () => {
  expect(await named('', ['status', '--config', 'none.ts'], { database: url })).toMatchObject({
    code: 2,
    stderr: 'kysely-jobs: There is no file none.ts: check --config\n',
  })
})

test('a database that is not there is exit code 2, without its password', async () => {
  expect(await start(['status'], 'postgres://ada:s3cret@127.0.0.1:1/shop').ended).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: Nothing listens at 127.0.0.1:1: check host and port, and that the server is running\n',
  })
})
