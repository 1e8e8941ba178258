import { hasStatus } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import type { DB } from '../../examples/db.js'
import { migrate } from '../../migrations/migrate.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase<DB>(migrate)

test("the guide's unique job: a second one goes in only when the first has ended", async () => {
  const unfinished = hasStatus(['job_status_not_started', 'job_status_running', 'job_status_retry'])
  await db.schema.createIndex('one_welcome').unique().on('welcome_jobs').column('user_id').where(unfinished).execute()
  const user = await db.insertInto('users').values({ email: 'ada' }).returning('id').executeTakeFirstOrThrow()
  const welcome = () =>
    db
      .insertInto('welcome_jobs')
      .values({ user_id: user.id })
      .onConflict((conflict) => conflict.column('user_id').where(unfinished).doNothing())
      .returning('id')
      .execute()
  expect(await welcome()).toHaveLength(1)
  expect(await welcome()).toHaveLength(0)
  await db.updateTable('welcome_jobs').set({ status: 'job_status_succeeded' }).execute()
  expect(await welcome()).toHaveLength(1)
})
