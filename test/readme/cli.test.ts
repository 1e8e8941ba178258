import { type Kysely, sql } from 'kysely'
import { addSchedule } from 'kysely-jobs'
import { expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.js'
import { writeRunner } from '../../src/records/runners.js'
import type { WorkerState } from '../../src/records/worker-state.js'
import { put, shop } from '../cli/shop.js'
import { run } from '../cli/terminal.js'
import { createTestDatabase } from '../support/database.js'
import { blocksIn, read } from './blocks.js'

/** The arguments of a line, as a shell takes it apart. */
const words = (line: string) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain)

/** Two runners, and what they run. They were seen just now, however long it takes until that is shown. */
async function work(db: Kysely<any>): Promise<void> {
  const worker: WorkerState = {
    ...{ schema: 'public', table: 'mail_jobs', id: '019a2c27-5ab1-7461-b192-efdad80348f0', state: 'running' },
    ...{ concurrency: 10, running: 2, lease: 60_000, leaseMargin: 51_000, listener: 'listening', pollInterval: 1_000 },
    ...{ paused: undefined, lastFetch: undefined, where: false, keyed: 'limit: 2 by tenant_id' },
    limit: { by: ['tenant_id'], max: 2 },
  }
  const runners = [
    { id: '019a2c27-0000-7461-b192-000000000001', host: 'web-1', pid: 4711, uptime: 3 * 3_600_000, workers: [worker] },
    {
      ...{ id: '019a2c27-0000-7461-b192-000000000002', host: 'web-2', pid: 512, uptime: 25 * 60_000 },
      workers: [{ ...worker, running: 1, listener: 'reconnecting' }],
    },
  ]
  for (const runner of runners) {
    const table = { schema: 'public', name: 'job_runners' }
    await writeRunner(db, table, { ...runner, version: '1.0.0', nodeVersion: 'v22.18.0' })
  }
  await sql`update job_runners set seen_at = now() + interval '900 ms'`.execute(db)
  await put(db, [31, 33], 'running')
  await sql`update mail_jobs set tenant_id = 1 + id % 2 where id > 30`.execute(db)
}

/** A cursor is another each time. */
const shown = (text: string) => text.replaceAll(/--after \S+/g, '--after <cursor>')

test('the commands of the page, one after the other, print what it shows', async () => {
  await using database = await createTestDatabase()
  const { db, url } = database
  await shop(db)
  await sql`drop table "My shop"."Odd ""jobs"""`.execute(db)
  await put(db, [1, 3], 'failed', { age: '3 h', error: 'SmtpError: 451 try again' })
  await put(db, [4, 4], 'failed', { age: '2 d', error: 'SmtpError: 550 no such user' })
  await put(db, [5, 9], 'not_started', { age: '5 min' })
  await put(db, [10, 11], 'retry', { age: '-150 min', error: 'SmtpError: 451 try again' })
  await sql`update mail_jobs set updated_at = now() - interval '4 min' where status = 'job_status_retry'`.execute(db)
  await sql`select setval('mail_jobs_id_seq', 11)`.execute(db)
  await sql`update mail_jobs set "to" = 'user' || id || '@example.com', tenant_id = id % 3, payload = '{"template": "welcome"}'`.execute(
    db,
  )
  await addSchedule(db as any, 'mail_jobs', { name: 'digest', every: '1h', values: { to: 'all' } } as any)
  const blocks = blocksIn('console', 'docs/cli.md')
  expect(blocks.length).toBeGreaterThan(8)
  let printed = ''
  for (const { text } of blocks) {
    for (const [, line = ''] of text.matchAll(/^\$ npx kysely-jobs (.*)$/gm)) {
      if (line === 'runners') await work(db)
      const { stdout, stderr } = await run(words(line), { DATABASE_URL: url })
      printed += `$ npx kysely-jobs ${line}\n${stdout}${stderr}`
    }
  }
  expect(shown(printed)).toBe(shown(blocks.map(({ text }) => text).join('')))
})

test('the page tells of each command', () => {
  const page = read('docs/cli.md')
  for (const name of Object.keys(commands)) expect(page).toMatch(new RegExp(`\`${name}[ \`]`))
})
