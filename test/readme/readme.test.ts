import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as dashboardDoor from 'kysely-jobs/dashboard'
import { expect, test } from 'vitest'
import { report } from '../../examples/demo/report.js'
import { migrate } from '../../migrations/migrate.js'
import * as ihpDoor from '../../src/ihp/index.js'
import * as door from '../../src/index.js'
import * as metricsDoor from '../../src/metrics/index.js'
import * as migrateDoor from '../../src/migrate/index.js'
import * as otelDoor from '../../src/otel/index.js'
import * as queueDoor from '../../src/queue/index.js'
import { createTestDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'
import { blocks, blocksIn, pages, read, root } from './blocks.js'
import { userProject } from './user-project.js'

const readme = 'README.md'
const tsc = join(root, 'node_modules/typescript/bin/tsc')

/** What the pages' fragments take for granted. */
const surroundings = `
import type { Kysely } from 'kysely'
import type { Worker } from 'kysely-jobs'
import type { Pool } from 'pg'
import type { DB } from './db.ts'
declare global {
  namespace NodeJS {
    interface ProcessEnv {
      DATABASE_URL: string
    }
  }
  function sendMail(job: object): Promise<void>
  const db: Kysely<DB>
  const pool: Pool
  const userId: string
  const worker: Worker<DB, 'welcome_jobs'>
  const transfers: Worker<DB, 'transfer_jobs'>
}`

/** What a fragment may use without importing it. */
const doors = {
  'kysely-jobs': Object.keys(door),
  'kysely-jobs/dashboard': Object.keys(dashboardDoor),
  'kysely-jobs/ihp': Object.keys(ihpDoor),
  'kysely-jobs/metrics': Object.keys(metricsDoor),
  'kysely-jobs/migrate': Object.keys(migrateDoor),
  'kysely-jobs/otel': Object.keys(otelDoor),
  'kysely-jobs/queue': Object.keys(queueDoor),
  kysely: ['Kysely', 'sql'],
  'node:crypto': ['randomUUID'],
}

/** A fragment as a module of its own; what it uses and does not import is imported. */
function fragment(text: string): string {
  const imported = text.match(/^import .*$/gm)?.join('\n') ?? ''
  const words = new Set(text.match(/\w+/g))
  const imports = Object.entries(doors).map(([from, names]) => {
    const used = names.filter((name) => words.has(name) && !imported.includes(name))
    return `import { ${used.join(', ')} } from '${from}'\n`
  })
  return imports.join('') + text
}

test('every TypeScript block of the pages compiles, by the strictest settings', async () => {
  const files = Object.fromEntries(
    blocksIn('ts').map(({ name, text }, i) => [name || `block-${i}.ts`, name ? text : fragment(text)]),
  )
  expect(Object.keys(files).length).toBeGreaterThan(5)
  const compilerOptions = {
    ...{ target: 'es2023', module: 'nodenext', noEmit: true, allowImportingTsExtensions: true, types: ['node'] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noImplicitReturns: true },
  }
  const folder = userProject({
    ...files,
    'db.ts': read('examples/db.ts'),
    'surroundings.ts': surroundings,
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
  })
  expect(await startProgram([tsc, '--singleThreaded', '-p', folder]).ended).toMatchObject({ stdout: '', code: 0 })
})

/** Runs a line of a `sh` block as the shell would, without the network. */
function runLine(line: string, cwd: string, url: string) {
  const [program = '', ...rest] = line.split(' ')
  const env = { DATABASE_URL: url }
  if (program === 'node') return startProgram(rest, { cwd, env })
  const [tool = '', ...argv] = rest
  const bin = { 'kysely-jobs': join(root, 'dist/src/cli/main.js'), tsc }[tool]
  if (program !== 'npx' || bin === undefined) throw new Error(`The test can't run: ${line}`)
  return startProgram([bin, ...argv], { cwd, env })
}

test('who follows the README in an empty folder sees what it shows', async () => {
  await using database = await createTestDatabase()
  const programs = blocksIn('ts', readme).filter(({ name }) => name !== '')
  const folder = userProject(Object.fromEntries(programs.map(({ name, text }) => [name, text])))
  const lines = blocksIn('sh', readme).flatMap(({ text }) => text.trimEnd().split('\n'))
  const commands = lines.filter((line) => !/^(npm|export) /.test(line))
  expect(commands).toHaveLength(4)
  const [shown] = blocksIn('text', readme).filter(({ name }) => name === '')
  for (const line of commands) {
    const program = runLine(line, folder, database.url)
    if (line === 'node mail.ts') {
      await program.said(/\n/)
      program.process.kill('SIGINT') // Ctrl-C
    }
    const { code, stdout, stderr } = await program.ended
    expect(`${line}: ${code} ${stderr.replace('db.ts written\n', '')}`).toBe(`${line}: 0 `)
    expect(stdout).toBe(line === 'node mail.ts' ? shown?.text : '')
  }
  // And goes on with the dashboard, by the types of that one table.
  const [jobs, hono] = blocksIn('ts', 'docs/dashboard.md')
  for (const { name, text } of [jobs, hono].filter((block) => block !== undefined))
    writeFileSync(join(folder, name), text)
  const check = commands.findLast((line) => line.startsWith('npx tsc'))?.replace('mail.ts', '--skipLibCheck hono.ts')
  expect(await runLine(check ?? '', folder, database.url).ended).toMatchObject({ stdout: '', code: 0 })
})

test('the ten lines of the README are those of the example', () => {
  expect(blocksIn('ts', readme)[0]?.text).toBe(read('examples/ten-lines.ts'))
})

test('the programs of the page about the dashboard are the examples', () => {
  const programs = blocksIn('ts', 'docs/dashboard.md').filter(({ name }) => name !== '')
  expect(programs.length).toBeGreaterThan(8)
  for (const { name, text } of programs)
    expect(text, name).toBe(read(`examples/dashboard/${name}`).replace("'../db.ts'", "'./db.ts'"))
})

test('the recording of the demo is what the demo prints today', async () => {
  await using database = await createTestDatabase()
  await migrate(database.db)
  const labels = (table: string) => table.match(/^ {2}[a-z][a-z ]+(?= {2,}[\d,]+)/gm)?.map((label) => label.trim())
  const today = await report(database.db, 1, { equal: 0, wrong: [], changed: [] })
  const [recording] = blocks.filter(({ name }) => name === 'demo')
  expect(labels(recording?.text ?? '')).toEqual(labels(today))
  expect(labels(today)?.length).toBeGreaterThan(5)
})

test('every npm script and every page that the pages name is there', () => {
  const { scripts } = JSON.parse(read('package.json'))
  for (const page of [...pages, 'CONTRIBUTING.md', 'ARCHITECTURE.md']) {
    const text = read(page)
    for (const [, name = ''] of text.matchAll(/npm run (?:-s )?([\w-]+)/g)) expect(scripts, page).toHaveProperty(name)
    for (const [, link = ''] of text.matchAll(/\]\(([^):]+?)(?:#[\w-]+)?\)/g))
      expect(existsSync(join(root, dirname(page), link)), `${page}: ${link}`).toBe(true)
  }
})

test('the options that the README lists are those a worker takes', () => {
  const listed = [...read(readme).matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  const refuse = () => door.createWorker({} as never, 'jobs' as never, () => {}, { none: 1 } as never)
  expect(refuse).toThrow(`none: no such option; there are ${listed.join(', ')}`)
})
