import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleOf, bundlers, formats } from './bundlers.js'
import { projectWithUs, remove, root } from './installed.js'

// The dashboard as it is installed: in a project that has none of the packages that it is made with.

const project = projectWithUs('kysely', 'module')
afterAll(() => remove(project))

const body = `
const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: 'postgres://127.0.0.1:1/none' }) }) })
const jobs = dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' })
const page = (path) => jobs(new Request('http://jobs.example' + path))
page('/').then(async (response) => {
  const html = await response.text()
  const assets = [/href="([^"]+[.]css)"/, /src="([^"]+[.]js)"/].map((asset) => asset.exec(html)[1])
  const sizes = await Promise.all(assets.map(async (path) => (await (await page(path)).text()).length > 5000))
  console.log(response.status, html.includes('The database does not answer'), ...sizes, typeof nodeHandler(jobs))
  await db.destroy()
})
`
const programs = {
  'program.mjs': `
import { Kysely, PostgresDialect } from 'kysely'
import { dashboard, nodeHandler } from 'kysely-jobs/dashboard'
import pg from 'pg'
${body}`,
  'program.cjs': `
const { Kysely, PostgresDialect } = require('kysely')
const { dashboard, nodeHandler } = require('kysely-jobs/dashboard')
const pg = require('pg')
${body}`,
}

const run = (file: string, cwd = project) => execFileSync(process.execPath, [file], { cwd, encoding: 'utf8' })
const said = '503 true true true function\n'

test.each(Object.entries(programs))('%s uses it, and nothing else is installed', (name, text) => {
  for (const needless of ['hono', '@hono', 'idiomorph', 'd3-scale', 'd3-shape'])
    expect(existsSync(join(project, 'node_modules', needless))).toBe(false)
  writeFileSync(join(project, name), text)
  expect(run(name)).toBe(said)
})

describe.each(['esbuild', 'rollup'] as const)('%s', (name) => {
  const alone = mkdtempSync(join(tmpdir(), 'kysely-jobs-bundle-'))
  afterAll(() => remove(alone))

  beforeAll(async () => {
    writeFileSync(join(project, 'program.mjs'), programs['program.mjs'])
    await bundlers[name](join(project, 'program.mjs'), alone)
  }, 300_000)

  test.each(formats)('a bundle (%s) has all of it, style and script too, and needs no file beside it', (format) => {
    expect(run(bundleOf(alone, format), alone)).toBe(said)
  })
})

test('the licences of what is bundled go along', () => {
  const licences = readFileSync(join(root, 'dist/src/dashboard/LICENCES.txt'), 'utf8')
  const bundled = readFileSync(join(root, 'dist/src/dashboard/index.js'), 'utf8').matchAll(
    /^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm,
  )
  const names = new Set([...bundled].map(([, name = '']) => name))
  expect([...names]).toEqual(expect.arrayContaining(['hono', '@hono/node-server']))
  for (const name of [...names, 'idiomorph']) expect(licences).toMatch(new RegExp(`^${name}\\n`, 'm'))
})
