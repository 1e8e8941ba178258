import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { afterAll, expect, inject, onTestFinished, test } from 'vitest'
import { Progress } from '../../examples/demo/progress.js'
import { report } from '../../examples/demo/report.js'
import { verifyDigests } from '../../examples/demo/verify.js'
import { migrate } from '../../migrations/migrate.js'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'

const { db } = await testDatabase(migrate)

const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-demo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const oddName = `it's "odd" 🦊 %s\nname`
mkdirSync(join(folder, 'many'))
for (let i = 0; i < 900; i++) writeFileSync(join(folder, 'many', `${i}.txt`), `file ${i}\n`)
writeFileSync(join(folder, 'empty'), '')
writeFileSync(join(folder, oddName), 'one\ntwo')
writeFileSync(join(folder, 'big'), Buffer.alloc(20_000_000, 'x'))
writeFileSync(join(folder, 'closed'), 'secret')
chmodSync(join(folder, 'closed'), 0) // root reads it all the same
symlinkSync('nowhere', join(folder, 'dangling'))
symlinkSync('.', join(folder, 'circle'))

const demo = (argv: string[], env: Record<string, string | undefined> = { DATABASE_URL: inject('serverUrl') }) =>
  startProgram([fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url)), ...argv], { env })

const databases = async () =>
  (await sql`select datname from pg_database where datname like 'kysely_jobs_demo_%'`.execute(db)).rows

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The processes that a demo named. */
const pids = (output: string) => [...output.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid))

test('the demo survives a killed worker, lists what failed, and leaves nothing behind', async () => {
  const { code, stdout, stderr } = await demo([folder]).ended
  expect(stderr).toBe('')
  expect(stdout).toMatch(/Worker [12] \(process \d+\) killed with SIGKILL; it held \d+ jobs/)
  expect(stdout).toMatch(/files +906\n/)
  expect(stdout).toMatch(/taken over from the dead worker +[1-9]\d*\n/)
  // The last attempt of one may be what the killed worker held: then its lease expired, and that is why it failed.
  const why =
    '3 attempts: (?:Error: ENOENT|Lease expired \\(1 in a row\\): worker [0-9a-f-]{36} stopped renewing it during attempt 3)'
  expect(stdout).toMatch(new RegExp(`dangling, ${why}`))
  expect(stdout).toMatch(new RegExp(`deleted-before-its-job-ran.txt, ${why}`))
  const equal = process.getuid?.() === 0 ? 904 : 903
  expect(stdout).toMatch(new RegExp(`digests equal to a second computation +${equal} of ${equal}\n`))
  expect(stdout).not.toContain('\x1b') // no terminal, no escape sequences
  expect(code).toBe(0)
  expect(pids(stdout).filter(isRunning)).toEqual([])
  expect(await databases()).toEqual([])
})

test('Ctrl-C ends the demo, its workers and its embedded Postgres', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kysely-jobs-demo-scratch-'))
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }))
  chmodSync(scratch, 0o755) // where root runs us, another account runs the server
  const interrupted = demo([folder], { DATABASE_URL: undefined, TMPDIR: scratch })
  await interrupted.said(/Worker 2: /)
  expect(readdirSync(scratch)).toHaveLength(1)
  interrupted.process.kill('SIGINT')
  const { code, stdout, stderr } = await interrupted.ended
  expect(stderr).toContain('Interrupted; nothing is left running.')
  expect(code).toBe(130)
  expect(pids(stdout).filter(isRunning)).toEqual([])
  expect(readdirSync(scratch)).toEqual([])
})

test('a folder that is none is one clear line', async () => {
  const { code, stderr } = await demo([join(folder, 'empty')]).ended
  expect(stderr).toBe(`demo: ${join(folder, 'empty')} is no folder\n`)
  expect(code).toBe(1)
})

test('a digest that differs or is missing is found and shown', async () => {
  const right = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881' // of x
  writeFileSync(join(folder, 'x'), 'x')
  const path = join(folder, 'x')
  await db
    .insertInto('file_jobs')
    .values([
      { path, sha256: right },
      { path, sha256: right.replace('2', '3') },
      { path, sha256: null },
    ])
    .execute()
  const options = { total: 4, since: Number.POSITIVE_INFINITY, signal: new AbortController().signal }
  const verification = await verifyDigests(db, options)
  expect(verification.equal).toBe(1)
  expect(verification.wrong.toSorted()).toEqual([
    expect.stringContaining('x: 3d711642'),
    expect.stringContaining('x: no digest in the table'),
    '4 jobs were enqueued, 3 are there',
  ])
  expect(await report(db, 1, verification)).toContain('WRONG DIGESTS:')
})

test('a file that was written to while the demo ran is not compared, and listed', async () => {
  const verification = await verifyDigests(db, { total: 3, since: 0, signal: new AbortController().signal })
  expect(verification).toMatchObject({ equal: 1, wrong: [], changed: [join(folder, 'x'), join(folder, 'x')] })
})

test('a terminal gets a bar that fits it, a file gets a line for each tenth', () => {
  const written = (screen: object) => {
    let text = ''
    const progress = new Progress({ ...screen, write: (more) => (text += more) }, 1000)
    for (let done = 0; done <= 1000; done += 50) progress.show(done)
    return text
  }
  expect(written({}).trimEnd().split('\n')).toHaveLength(10)
  const bars = written({ isTTY: true, columns: 80 }).split('\r\x1b[2K')
  expect(bars.at(-1)).toMatch(/^ {2}█+ 100 % {2}1,000 of 1,000 files/)
  expect(Math.max(...bars.map((bar) => bar.length))).toBeLessThan(80)
})
