import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase()

test('x', async () => {
  await createJobTable(db, 'jobs', (table) => table.addColumn('to', 'text'), {
    archive: { every: '1 day', keep: '30 days' },
  })
  console.log(
    (
      await sql`select relname, pg_get_expr(relpartbound, oid) from pg_class where relname like 'jobs%' order by 1`.execute(
        db,
      )
    ).rows,
  )
  console.log((await sql`select keep_job_archive_jobs()`.execute(db)).rows)
  console.log((await inspectJobTable(db, 'jobs')).archive)
  expect(1).toBe(1)
})
