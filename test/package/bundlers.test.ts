import { cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import commonjsPlugin from '@rollup/plugin-commonjs'
import jsonPlugin from '@rollup/plugin-json'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { createJobTable } from 'kysely-jobs/migrate'
import { rollup } from 'rollup'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'
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

const formats = ['esm', 'cjs'] as const
type Format = (typeof formats)[number]

/** Their types say that Node would find the function a level deeper. */
const commonjs = commonjsPlugin as unknown as typeof commonjsPlugin.default
const json = jsonPlugin as unknown as typeof jsonPlugin.default

/** Each puts its bundles, one for each format, into a folder. */
const bundlers = {
  async esbuild(folder: string) {
    const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
    for (const format of formats) {
      await build({
        entryPoints: [join(project, 'program.js')],
        bundle: true,
        platform: 'node',
        format,
        outfile: fileOf(folder, format),
        external: ['pg-native'],
        logLevel: 'error',
        ...(format === 'esm' && { banner: { js } }), // pg is CommonJS, and requires Node's own modules
      })
    }
  },
  async rollup(folder: string) {
    const made = await rollup({
      input: join(project, 'program.js'),
      external: ['pg-native'],
      plugins: [nodeResolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs(), json()],
      logLevel: 'silent',
    })
    for (const format of formats) {
      const name = basename(fileOf(folder, format))
      const extension = name.split('.').at(-1)
      await made.write({ dir: folder, format, entryFileNames: name, chunkFileNames: `[name]-[hash].${extension}` })
    }
    await made.close()
  },
}

describe.each(['esbuild', 'rollup'] as const)('%s', (name) => {
  const installed = join(project, name)
  const alone = mkdtempSync(join(tmpdir(), 'kysely-jobs-bundle-'))
  afterAll(() => remove(alone))

  beforeAll(async () => {
    await bundlers[name](installed)
    cpSync(installed, alone, { recursive: true })
  }, 300_000)

  test.each(formats)('%s: a program that does not listen runs from its bundle alone', async (format) => {
    expect(await run(fileOf(alone, format), {})).toBe('Mail to ada\n')
  })

  test.each(formats)('%s: a program that listens runs where pg-listen is installed', async (format) => {
    expect(await run(fileOf(installed, format), { LISTEN: 'yes' })).toBe('Mail to ada\n')
  })

  test.each(formats)('%s: where pg-listen is not installed, one that listens is told what to do', async (format) => {
    expect(await run(fileOf(alone, format), { LISTEN: 'yes' })).toMatch(/pg-listen.*external/)
  })
})

function fileOf(folder: string, format: Format): string {
  return join(folder, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
}

async function run(file: string, env: Record<string, string>): Promise<string> {
  const { stdout, stderr } = await startProgram([file], { cwd: dirname(file), env: { URL: url, ...env } }).ended
  return stdout || stderr
}
