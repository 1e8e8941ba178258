import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { run } from './terminal.js'

const { db, url } = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text'))
  await sql`create schema billing; create table billing.accounts (id int not null)`.execute(db)
})

const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

let out: string
let count = 0
beforeEach(() => {
  out = join(folder, `${count++}`, 'db.ts')
})

const generate = (...more: string[]) => run(['generate', '--out', out, ...more], { DATABASE_URL: url })
const text = () => readFileSync(out, 'utf8')

test('without --out the interface is printed', async () => {
  const { code, stdout, stderr } = await run(['generate'], { DATABASE_URL: url })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(
    /^\/\/ Generated from the database: .*'billing.accounts': BillingAccounts\n {2}mail_jobs: MailJobs\n\}\n$/s,
  )
})

test('--out writes a file, with its folders, and says so; nothing else is left there', async () => {
  expect(await generate()).toEqual({ code: 0, stdout: '', stderr: `${out} written\n` })
  expect(text()).toBe((await run(['generate', '--url', url])).stdout)
  expect(readdirSync(join(out, '..'))).toEqual(['db.ts'])
})

test('a file that is up to date is not touched, so that no watcher wakes', async () => {
  await generate()
  utimesSync(out, 1, 1)
  expect(await generate()).toEqual({ code: 0, stdout: '', stderr: `${out} is up to date\n` })
  expect(statSync(out).mtimeMs).toBe(1000)
})

test('a link stays a link: what it points to is written', async () => {
  mkdirSync(join(out, '..'))
  const target = join(folder, 'target.ts')
  writeFileSync(target, '')
  symlinkSync(target, out)
  expect((await generate()).code).toBe(0)
  expect(readFileSync(target, 'utf8')).toContain('MailJobs')
})

test('--url goes before DATABASE_URL', async () => {
  const { code } = await run(['generate', '--url', url], { DATABASE_URL: 'postgres://127.0.0.1:1/nobody' })
  expect(code).toBe(0)
})

test('--schema and --table choose, and can be given many times', async () => {
  const { stdout } = await run([
    'generate',
    '--url',
    url,
    '--schema',
    'billing',
    '--schema',
    'public',
    '--table',
    'acc*',
  ])
  expect(stdout).toContain("export interface DB {\n  'billing.accounts': BillingAccounts\n}\n")
  expect(await run(['generate', '--url', url, '--table', 'typo'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: No table is called "typo"\n',
  })
})

test('--verify is content with what was generated, also where git made its line ends CRLF', async () => {
  await generate()
  const content = { code: 0, stdout: '', stderr: `${out} is up to date\n` }
  expect(await generate('--verify')).toEqual(content)
  writeFileSync(out, text().replaceAll('\n', '\r\n'))
  expect(await generate('--verify')).toEqual(content)
})

test('--verify shows what differs, exits with 1 and writes nothing', async () => {
  await generate('--schema', 'billing')
  const old = text().replace('id: number', 'id: string')
  writeFileSync(out, old)
  expect(await generate('--schema', 'billing', '--verify')).toEqual({
    code: 1,
    stdout: `--- ${out}
+++ the database
@@ line 2 @@
 // npx kysely-jobs generate --out <this file> --schema billing
${' '}
 export interface BillingAccounts {
-  id: string
+  id: number
 }
${' '}
 export interface DB {
`,
    stderr: `kysely-jobs: ${out} is out of date: run the same command without --verify\n`,
  })
  expect(text()).toBe(old)
})

test('--verify of a file that is not there says so and makes none', async () => {
  expect(await generate('--verify')).toEqual({
    code: 1,
    stdout: '',
    stderr: `kysely-jobs: ${out} does not exist: run the same command without --verify\n`,
  })
  expect(() => text()).toThrow('ENOENT')
})

test('a table that changed is seen by --verify', async () => {
  await sql`create table grown (a int)`.execute(db)
  onTestFinished(async () => void (await sql`drop table grown`.execute(db)))
  await generate('--table', 'grown')
  await sql`alter table grown add b int`.execute(db)
  const { code, stdout } = await generate('--table', 'grown', '--verify')
  expect(code).toBe(1)
  expect(stdout).toContain('\n   a: number | null\n+  b: number | null\n }')
})

test('a path that is a folder, or goes through a file, is one line', async () => {
  mkdirSync(out, { recursive: true })
  expect(await generate()).toEqual({ code: 1, stdout: '', stderr: `kysely-jobs: Can't read ${out} (EISDIR)\n` })
  out = join(folder, 'a-file', 'db.ts')
  writeFileSync(join(folder, 'a-file'), '')
  expect(await generate()).toMatchObject({ code: 1, stderr: `kysely-jobs: Can't read ${out} (ENOTDIR)\n` })
})

test('a folder in which we may not write is one line', async () => {
  chmodSync(folder, 0o755)
  mkdirSync(join(out, '..'), { mode: 0o555 })
  const refused = { code: 1, stdout: '', stderr: `kysely-jobs: Can't write ${out} (EACCES)\n` }
  expect(await asAnybody(() => generate())).toEqual(refused)
})

/** Root may write everywhere. */
async function asAnybody<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return action()
  process.seteuid?.(65534)
  try {
    return await action()
  } finally {
    process.seteuid?.(0)
  }
}

test('help and version are printed', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  const help = await run(['generate', '--help'])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toMatch(/^Usage: kysely-jobs generate .*--verify/s)
})

test.each([
  [[], 'No command: say generate'],
  [['generat'], 'Unknown command: say generate'],
  [['postgres://ada:s3cret@localhost/shop'], 'Unknown command: say generate'],
  [['generate', 'postgres://ada:s3cret@localhost/shop'], 'generate takes options only: the database as --url'],
  [['generate', '--ouT', 'x'], "Unknown option '--ouT'"],
  [['generate', '--out'], "Option '--out <value>' argument missing"],
  [['generate', '--verify'], '--verify needs --out: the file to compare with the database'],
])('%j makes no sense, and is answered with the usage', async (argv, message) => {
  const { code, stdout, stderr } = await run(argv, { DATABASE_URL: url })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.startsWith(`kysely-jobs: ${message}`)).toBe(true)
  expect(stderr).toContain('\n\nUsage: kysely-jobs generate')
  expect(stderr).not.toContain('s3cret')
})
