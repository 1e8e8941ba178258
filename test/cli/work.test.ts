import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test, vi } from 'vitest'
import { blocksIn } from '../readme/blocks.js'
import { userProject } from '../readme/user-project.js'
import { testDatabase } from '../support/database.js'
import { shop } from './shop.js'
import { start } from './terminal.js'

const { db, url } = await testDatabase(shop)

const database = `
import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, schedule } from 'kysely-jobs'
import pg from 'pg'
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
const logger = { debug() {}, info() {}, warn() {}, error() {} }
`
const worker = `createWorker(db, 'mail_jobs', async (job: any) => console.log('mail to ' + job.to), { logger } as any)`

/** What it says itself where all is well. */
const said = 'kysely-jobs: works mail_jobs (16 at once); Ctrl-C stops\nkysely-jobs: stopped\n'

const work = (text: string, file = 'worker.ts') =>
  start(['work', `./${file}`], url, { cwd: userProject({ [file]: text }) })

test('work runs the workers that a module exports, and fires its schedules, until Ctrl-C', async () => {
  const program = work(`${database}
export const mail = ${worker}
export const schedules = [schedule(db, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', values: { to: 'all' } } as any)]
`)
  await sql`insert into mail_jobs ("to") values ('ada')`.execute(db)
  await program.said(/mail to ada\n/)
  await vi.waitFor(async () => {
    const { rows } = await sql`select name from job_schedules`.execute(db)
    expect(rows).toEqual([{ name: 'nightly' }])
  })
  program.process.kill('SIGINT')
  expect(await program.ended).toEqual({ code: 0, stdout: 'mail to ada\n', stderr: said })
})

test('a runner of its own is run, a list of workers too, and SIGTERM ends them', async () => {
  for (const exported of [`createRunner(db, { workers: [${worker}] })`, `[${worker}]`]) {
    const program = work(`${database}\nexport default ${exported}\n`)
    await sql`insert into mail_jobs ("to") values ('bob')`.execute(db)
    await program.said(/mail to bob\n/)
    program.process.kill('SIGTERM')
    expect((await program.ended).code).toBe(0)
  }
})

test.each([
  ['export const a = 1\nexport const b = 2', 'worker.ts exports no worker: write export const mail = createWorker('],
  ['const a = 1', 'it exports nothing'],
  [
    `${database}\nconst mail = ${worker}\nexport const one = createRunner(db, { workers: [mail] }), two = createRunner(db, { workers: [mail] })`,
    'exports 2 runners',
  ],
  ["throw new Error('no key')", "./worker.ts can't be loaded: no key ("],
  ["import './not-there.ts'", "./worker.ts can't be loaded: Cannot find module"],
  ['const a: = 1', "./worker.ts can't be loaded: "],
])('%j is told in one line, without a stack trace', async (text, message) => {
  const { code, stdout, stderr } = await work(text).ended
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  expect(stderr).toContain(message)
})

test('no file, or one that is not there', async () => {
  expect((await start(['work'], url).ended).stderr).toBe(
    'kysely-jobs: Which module? Give its file, as in kysely-jobs work ./worker.ts\n',
  )
  expect(await start(['work', './none.ts'], url).ended).toMatchObject({
    code: 2,
    stderr: 'kysely-jobs: There is no file ./none.ts\n',
  })
})

test('warnings of the program that is run are seen', async () => {
  const program = work(`${database}
process.emitWarning('look here', 'ShopWarning')
export const mail = ${worker}
`)
  await sql`insert into mail_jobs ("to") values ('eve')`.execute(db)
  await program.said(/mail to eve\n/)
  program.process.kill('SIGINT')
  expect((await program.ended).stderr).toBe(`ShopWarning: look here\n${said}`)
})

test('the module of the page about the command line runs, and nothing is said against it', async () => {
  await createJobTable(db, 'welcome_jobs', (table) => table.addColumn('user_id', 'integer'))
  const [module] = blocksIn('ts', 'docs/cli.md').filter(({ name }) => name === 'worker.ts')
  const program = work(`${module?.text}\nwelcome.on('idle', () => console.log('idle'))\n`)
  await program.said(/idle/)
  program.process.kill('SIGINT')
  expect((await program.ended).stderr).toBe(said.replace('mail_jobs', 'welcome_jobs'))
})

test('without a database it says in a line each what is missing, and waits', async () => {
  const text = `
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
const pool = guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, port: 1, host: '127.0.0.1' }))
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
export const mail = createWorker(db, 'mail_jobs', () => {})
mail.on('error', () => console.log('waits'))
`
  const program = start(['work', './worker.ts'], '', { cwd: userProject({ 'worker.ts': text }) })
  await program.said(/waits/)
  program.process.kill('SIGINT')
  const { code, stderr } = await program.ended
  expect({ code, lines: stderr.split('\n') }).toEqual({
    code: 0,
    lines: [
      expect.stringMatching(
        /^mail_jobs: an error while starting, .*: ConnectionError: Nothing listens at 127\.0\.0\.1:1: /,
      ),
      'kysely-jobs: DATABASE_URL is not set: set it, if the module is to read it',
      'kysely-jobs: stopped',
      '',
    ],
  })
})
