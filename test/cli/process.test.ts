import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createJobTable } from 'kysely-jobs/migrate'
import { afterAll, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import type { Said } from './terminal.js'

const { url, db } = await testDatabase((db) => db.schema.createTable('users').addColumn('id', 'uuid').execute())

/** The command as npm installs it: a link to the built file, in a project of a user. */
const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-bin-'))
afterAll(() => rmSync(folder, { recursive: true }))
const command = join(folder, 'node_modules', '.bin', 'kysely-jobs')
mkdirSync(join(command, '..'), { recursive: true })
symlinkSync(new URL('../../dist/src/cli/main.js', import.meta.url).pathname, command)

function start(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { DATABASE_URL: _, ...inherited } = process.env
  return spawn(process.execPath, [command, ...argv], { cwd: folder, env: { ...inherited, ...env } })
}

async function run(argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<Said> {
  const child = start(argv, env)
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

test('the installed command writes the file, verifies it, and sees when a table has changed', async () => {
  const argv = ['generate', '--out', 'src/db.ts']
  expect(await run(argv, { DATABASE_URL: url })).toEqual({ code: 0, stdout: '', stderr: 'src/db.ts written\n' })
  expect(readFileSync(join(folder, 'src/db.ts'), 'utf8')).toContain('\nexport interface DB {\n  users: Users\n}\n')
  expect(await run([...argv, '--verify', '--url', url])).toMatchObject({ code: 0, stdout: '' })
  await db.schema.alterTable('users').addColumn('email', 'text').execute()
  expect(await run([...argv, '--verify', '--url', url])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('\n+  email: string | null\n'),
    stderr: 'kysely-jobs: src/db.ts is out of date: run the same command without --verify\n',
  })
})

test('a refused connection is one line and exit code 1, without a stack trace, a warning or the password', async () => {
  expect(await run(['generate', '--url', 'postgres://ada:s3cret@127.0.0.1:1/shop?sslmode=require'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: Nothing listens at 127.0.0.1:1: check host and port, and that the server is running\n',
  })
})

test('the installed command examines, and what it can not examine is one line and exit code 2', async () => {
  const { code, stdout, stderr } = await run(['doctor'], { DATABASE_URL: url, FORCE_COLOR: '1' })
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(stdout).toMatch(/^WARNINGS\n\n {2}no-job-table\n/)
  expect(await run(['doctor', '--url', 'postgres://ada:s3cret@127.0.0.1:1/shop?sslmode=require'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: Nothing listens at 127.0.0.1:1: check host and port, and that the server is running\n',
  })
})

test('whoever reads only the beginning ends us quietly', async () => {
  const child = start(['generate', '--url', url])
  child.stdout.destroy()
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('what is enqueued goes on where nobody reads the ids', async () => {
  await createJobTable(db, 'jobs', undefined, { id: 'int' })
  const child = start(['enqueue', 'jobs', '--url', url])
  child.stdout.destroy()
  child.stdin.end('{}\n'.repeat(3_000))
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(await db.selectFrom('jobs').select('id').execute()).toHaveLength(3_000)
})

test.runIf(existsSync('/dev/full'))('an output that can not be written is told, and is no success', async () => {
  for (const [argv, failed] of [
    [['generate'], 1],
    [['doctor'], 2],
    [['--version'], 1],
  ] as const) {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [command, ...argv], {
      env: { ...process.env, DATABASE_URL: url },
      stdio: ['ignore', full, 'pipe'],
    })
    closeSync(full)
    const errors = child.stderr as Readable // a pipe, as asked for
    const [[code], stderr] = await Promise.all([once(child, 'close'), text(errors)])
    expect({ code, stderr }).toEqual({ code: failed, stderr: "kysely-jobs: The output can't be written (ENOSPC)\n" })
  }
})
