import { cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createJobTable } from 'kysely-jobs/migrate'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'
import { bundleOf, bundlers, formats } from './bundlers.js'
import { projectWithUs, remove } from './installed.js'

// Programs that are bundled with all that they import, as docs/bundlers.md says, and run from the bundle.

const { db, url } = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text')),
)
const project = projectWithUs('kysely', 'module')
afterAll(() => remove(project))
beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Enqueues a job as soon as its worker listens, or at once; where it listens, polling would find it after an hour. */
writeFileSync(
  join(project, 'program.js'),
  `
import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, enqueue, guardPool } from 'kysely-jobs'
import pg from 'pg'
const pool = guardPool(new pg.Pool({ connectionString: process.env.URL }))
const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
const done = Promise.withResolvers()
const options = process.env.LISTEN ? { listen: pool, pollInterval: '1h' } : { pollInterval: 50 }
const worker = createWorker(db, 'mail_jobs', (job) => done.resolve('Mail to ' + job.to), options)
const runner = createRunner(db, { workers: [worker] })
const ready = new Promise((resolve) => worker.on('listener', ({ state }) => state === 'listening' && resolve()))
worker.on('error', ({ error }) => done.resolve(error.message))
worker.on('listener', ({ reason }) => reason && done.resolve(reason.message))
runner.start().then(async () => {
  if (process.env.LISTEN) await ready
  await enqueue(db, 'mail_jobs', { to: 'ada' })
}).catch((error) => done.resolve(error.message))
done.promise.then(async (said) => {
  console.log(said)
  await runner.stop()
  await db.destroy()
})
`,
)

describe.each(['esbuild', 'rollup'] as const)('%s', (name) => {
  const installed = join(project, name)
  const alone = mkdtempSync(join(tmpdir(), 'kysely-jobs-bundle-'))
  afterAll(() => remove(alone))

  beforeAll(async () => {
    await bundlers[name](join(project, 'program.js'), installed)
    cpSync(installed, alone, { recursive: true })
  }, 300_000)

  test.each(formats)('%s: a program that does not listen runs from its bundle alone', async (format) => {
    expect(await run(bundleOf(alone, format), {})).toBe('Mail to ada\n')
  })

  test.each(formats)('%s: a program that listens runs where pg-listen is installed', async (format) => {
    expect(await run(bundleOf(installed, format), { LISTEN: 'yes' })).toBe('Mail to ada\n')
  })

  test.each(formats)('%s: where pg-listen is not installed, one that listens is told what to do', async (format) => {
    expect(await run(bundleOf(alone, format), { LISTEN: 'yes' })).toMatch(/pg-listen.*external/)
  })
})

async function run(file: string, env: Record<string, string>): Promise<string> {
  const { stdout, stderr } = await startProgram([file], { cwd: dirname(file), env: { URL: url, ...env } }).ended
  return stdout || stderr
}
