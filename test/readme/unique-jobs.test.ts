import { randomUUID } from 'node:crypto'
import { enqueue } from 'kysely-jobs'
import { createUniqueIndex } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import type { DB } from '../../examples/db.js'
import { migrate } from '../../migrations/migrate.js'
import { testDatabase } from '../support/database.js'
import { blocksIn } from './blocks.js'

const { db } = await testDatabase<DB>(migrate)

/** A block of the guide, without its imports and exports, as a function of what it takes for granted. */
function blockWith(text: string, ...names: string[]) {
  const [block] = blocksIn('ts', 'docs/guide.md').filter((each) => each.text.includes(text))
  const code = block?.text.replaceAll(/^import .*$/gm, '').replaceAll(/^export async function up\(.*$/gm, '{')
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor // what makes such functions
  return AsyncFunction(...names, code ?? '')
}

test("the guide's unique job: a second one goes in only when the first has ended", async () => {
  const user = await db.insertInto('users').values({ email: 'ada' }).returning('id').executeTakeFirstOrThrow()
  await db.insertInto('accounts').values({ owner: user.id, balance: 5 }).execute()
  await blockWith("createUniqueIndex(db, 'welcome_jobs'", 'db', 'createUniqueIndex')(db, createUniqueIndex)
  const said: string[] = []
  const enqueuing = blockWith("unique: ['user_id'] }", 'db', 'enqueue', 'userId', 'console')
  const run = () => enqueuing(db, enqueue, user.id, { log: (text: string) => said.push(text) })
  await run()
  const [first] = await db.selectFrom('welcome_jobs').selectAll().execute()
  await run()
  expect(await db.selectFrom('welcome_jobs').select('id').execute()).toEqual([{ id: first?.id }])
  expect(said).toEqual([`job ${first?.id} does it already`])
  await db.updateTable('welcome_jobs').set({ status: 'job_status_succeeded' }).execute()
  await run()
  expect(await db.selectFrom('welcome_jobs').select('id').execute()).toHaveLength(2)
  const jobs = () => db.selectFrom('transfer_jobs').selectAll().orderBy('created_at').execute()
  const [debounced, ...others] = await jobs()
  expect(others).toEqual([]) // of all these calls one is left, five minutes after the last
  expect(debounced?.run_at.getTime()).toBeGreaterThan((debounced?.created_at.getTime() ?? 0) + 300_000)
  const began = {
    status: 'job_status_running',
    attempts_count: 1,
    locked_at: new Date(),
    locked_by: randomUUID(),
  } as const
  await db.updateTable('transfer_jobs').set(began).execute()
  await run()
  expect(await jobs()).toMatchObject([
    { id: debounced?.id, run_at: debounced?.run_at },
    { status: 'job_status_not_started' },
  ])
})
