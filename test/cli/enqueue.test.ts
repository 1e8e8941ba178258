import { sql } from 'kysely'
import { createUniqueIndex } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { shop } from './shop.js'
import { run, start } from './terminal.js'

const { db, url } = await testDatabase(shop)
const env = { DATABASE_URL: url }
const said = (...argv: string[]) => run(argv, env)
const json = async (...argv: string[]) => JSON.parse((await said(...argv, '--json')).stdout)

beforeEach(() => sql`truncate mail_jobs restart identity`.execute(db))

const jobs = () => db.selectFrom('mail_jobs').select(['to', 'tenant_id', 'payload']).orderBy('id').execute()

test('enqueue inserts a job of the values that are given, and prints its id', async () => {
  const values = JSON.stringify({ to: 'ada', tenantId: 7, payload: [1, { a: null }] })
  const { code, stdout } = await start(['enqueue', 'mail_jobs', '--values', values, '--delay', '1h'], url).ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: '1\n' })
  expect(await jobs()).toEqual([{ to: 'ada', tenant_id: 7, payload: [1, { a: null }] }])
  expect(await json('list', 'mail_jobs', '--state', 'scheduled')).toMatchObject({ jobs: [{ id: '1' }] })
})

test('lines of JSON on standard input are jobs, as many as there are', async () => {
  const input = Array.from({ length: 2_500 }, (_, n) => `{"to": "user${n}"}\n`).join('\n')
  const { code, stdout } = await run(['enqueue', 'mail_jobs', '--json'], env, { input })
  expect({ code, lines: stdout.split('\n').length, first: stdout.slice(0, 33) }).toEqual({
    ...{ code: 0, lines: 2_501, first: '{"table":"mail_jobs","id":"1"}\n{"' },
  })
  expect((await jobs()).at(-1)?.to).toBe('user2499')
})

test('numbers and texts go in as they were written, whatever JavaScript and editors make of them', async () => {
  await sql`alter table mail_jobs add big bigint, add exact numeric`.execute(db)
  const [big, long, exact] = ['9007199254740993', '12345678901234567890', '0.12345678901234567890']
  const line = `{"big": ${big}, "exact": ${exact}, "to": "a\u2028b", "payload": {"id": ${long}, "n": [1.5, 1e999]}}`
  const input = `\uFEFF{"to": "ü"}\r\n\r\n${line}\r\n`
  expect(await run(['enqueue', 'mail_jobs'], env, { input })).toEqual({ code: 0, stdout: '1\n2\n', stderr: '' })
  const { rows } =
    await sql`select "to", big::text, exact::text, payload->>'id' as id, length(payload->'n'->>1) as digits from mail_jobs order by mail_jobs.id`.execute(
      db,
    )
  expect(rows).toEqual([
    { to: 'ü', big: null, exact: null, id: null, digits: null },
    { to: 'a\u2028b', big, exact, id: long, digits: 1000 },
  ])
  await sql`alter table mail_jobs drop big, drop exact`.execute(db)
})

test.each([
  ['{"tenant_id": "x"}', 'invalid input syntax for type integer: "x"'],
  ['{"to": "a\\u0000"}', 'mail_jobs.to: the text holds a NUL character'],
  ['{"priority": 70000}', 'value "70000" is out of range for type smallint'],
  ['{"id": 7}', 'duplicate key value violates unique constraint'],
])('of many lines the one is told that the table refuses: %s', async (bad, message) => {
  const good = '{"to": "ada", "id": 7}\n{"to": "bob"}\n'
  const { code, stdout, stderr } = await run(['enqueue', 'mail_jobs'], env, { input: `${good}${bad}\n{"to": "eve"}\n` })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`kysely-jobs: line 3: ${message}`)
  expect(await jobs()).toEqual([])
})

test('a line that is not in UTF-8 is refused, where a decoder would have made a job of it that nobody wrote', async () => {
  const input = Buffer.from('{"to": "ada"}\n{"to": "J\u00fcrgen"}\n', 'latin1')
  expect(await run(['enqueue', 'mail_jobs'], env, { input })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: line 2 is not in UTF-8: convert the file first (iconv -t utf-8)\n',
  })
})

test('--unique inserts no job where one stands that has the same values', async () => {
  await createUniqueIndex(db, 'mail_jobs', ['to', 'tenant_id'])
  const input = ['ada', 'bob', 'ada'].map((to) => `{"to": "${to}", "tenant_id": 1}\n`).join('')
  const argv = ['enqueue', 'mail_jobs', '--unique', 'to, tenantId']
  expect(await run(argv, env, { input })).toEqual({
    code: 0,
    stdout: '1\n2\n1\n',
    stderr: 'For 1 of 3 a job stands already\n',
  })
  const { stdout } = await run([...argv, '--json'], env, { input: '{"to": "bob", "tenant_id": 1}\n' })
  expect(JSON.parse(stdout)).toEqual({ table: 'mail_jobs', id: '2', isNew: false })
  expect(await jobs()).toHaveLength(2)
  for (const [given, message] of [
    [['--within', '1d'], '--within says how long a job stands for others: say by which columns'],
    [['--unique', 'tu'], 'There is no column tu; did you mean to?'],
    [['--unique', 'status'], 'unique: status is a column of the queue'],
    [['--unique', 'to', '--within', 'x'], '--within "x" is no length of time'],
  ] as const) {
    const { code, stderr } = await said('enqueue', 'mail_jobs', '--values', '{"to": "ada"}', ...given)
    expect({ given, code, stderr }).toEqual({ given, code: 2, stderr: expect.stringContaining(message) })
  }
})

test('a line that is no job is told by its number, and so is how many went in before', async () => {
  const good = '{"to": "ada"}\n'.repeat(1_000)
  expect(await run(['enqueue', 'mail_jobs'], env, { input: `${good}{"tu": 1}\n` })).toMatchObject({
    code: 1,
    stderr: '1,000 jobs before were enqueued\nkysely-jobs: line 1001: There is no column tu; did you mean to?\n',
  })
  expect(await jobs()).toHaveLength(1_000)
})

test.each([
  [['--values', '{"to":'], 1, '--values is no JSON: '],
  [['--values', '[1]'], 1, '--values is no object of columns'],
  [['--values', '{"status": "job_status_failed"}'], 1, 'status is written by the queue alone'],
  [['--values', '{"tenant_id": "x"}'], 1, 'invalid input syntax for type integer'],
  [['--values', '{}', '--delay', 'x'], 2, '--delay "x" is no length of time'],
])('enqueue %j inserts nothing', async (argv, code, message) => {
  expect(await said('enqueue', 'mail_jobs', ...argv)).toMatchObject({
    code,
    stdout: '',
    stderr: expect.stringContaining(message),
  })
  expect(await jobs()).toEqual([])
})

test('at a terminal nobody waits for lines that are not typed', async () => {
  expect(await run(['enqueue', 'mail_jobs'], env, { isTTY: true })).toMatchObject({
    code: 2,
    stderr: 'kysely-jobs: Which jobs? Give --values, or lines of JSON on standard input\n',
  })
})
