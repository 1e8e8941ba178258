import { enqueue } from 'kysely-jobs'
import ts from 'typescript-5.9'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { DB } from '../../examples/db.js'
import { migrate } from '../../migrations/migrate.js'
import * as door from '../../src/index.js'
import { testDatabase } from '../support/database.js'
import { blocksIn } from './blocks.js'

const { db } = await testDatabase<DB>(migrate)

test("the guide's bulk verbs, as they stand there, retry what failed and delete the jobs of those who left", async () => {
  const values = [{ email: 'ada@example.com' }, { email: 'ben@example.org' }]
  const [ada, ben] = await db.insertInto('users').values(values).returning('id').execute()
  await enqueue(db, 'welcome_jobs', [{ user_id: ada?.id ?? '' }, { user_id: ben?.id ?? '' }])
  await db.updateTable('welcome_jobs').set({ status: 'job_status_failed', attempts_count: 3 }).execute()
  const told = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(() => told.mockRestore())
  const [block] = blocksIn('ts', 'docs/guide.md').filter(({ text }) => text.includes('deleteJobs('))
  await run(block?.text ?? '')
  expect(told.mock.calls).toEqual([[2, 'jobs would run again'], ['2 of 2, 0 refused']])
  const left = await db.selectFrom('welcome_jobs').select(['user_id', 'status', 'attempts_count']).execute()
  expect(left).toEqual([{ user_id: ben?.id, status: 'job_status_not_started', attempts_count: 0 }])
})

/** Runs a fragment of a page with what it takes for granted. */
async function run(text: string): Promise<void> {
  const { outputText } = ts.transpileModule(text, { compilerOptions: { target: ts.ScriptTarget.ES2023 } })
  const names = Object.keys(door)
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor
  const body = outputText.replace('export {};', '')
  await new AsyncFunction('db', ...names, body)(db, ...Object.values(door))
}
