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

test("the guide's unique job: a second one goes in only when the first has ended, and a debounced one is moved", async () => {
  const user = await db.insertInto('users').values({ email: 'ada' }).returning('id').executeTakeFirstOrThrow()
  await blockWith("createUniqueIndex(db, 'welcome_jobs'", 'db', 'createUniqueIndex')(db, createUniqueIndex)
  const said: string[] = []
  const enqueuing = blockWith("unique: ['user_id'] }", 'db', 'enqueue', 'userId', 'console')
  const run = () => enqueuing(db, enqueue, user.id, { log: (text: string) => said.push(text) })
  await run()
  const [first] = await db.selectFrom('welcome_jobs').selectAll().execute()
  expect(first?.run_at.getTime()).toBeGreaterThan((first?.created_at.getTime() ?? 0) + 290_000)
  await run()
  const [moved, ...others] = await db.selectFrom('welcome_jobs').selectAll().execute()
  expect(others).toEqual([])
  expect(moved?.run_at.getTime()).toBeGreaterThan(first?.run_at.getTime() ?? 0)
  expect(said).toEqual([`job ${first?.id} does it already`])
  await db.updateTable('welcome_jobs').set({ status: 'job_status_succeeded' }).execute()
  await run()
  expect(await db.selectFrom('welcome_jobs').select('id').execute()).toHaveLength(2)
})
