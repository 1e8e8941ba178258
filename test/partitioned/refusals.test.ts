import { sql } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { addJobColumns, createUniqueIndex } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import { found } from '../doctor/examining.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase()

test('jobs that are to be unique over several partitions are refused, with what is lacking', async () => {
  await sql`create table loose (id uuid, tenant text, note text, primary key (id, tenant)) partition by hash (tenant)`.execute(
    db,
  )
  await addJobColumns(db, 'loose')
  await expect(createUniqueIndex(db, 'loose', ['note'])).rejects.toThrow(
    /loose is partitioned.*lacks column "tenant".*name these beside note/,
  )
  await createUniqueIndex(db, 'loose', ['tenant', 'note'])
})

test('a table that is partitioned by what is written while jobs run is refused at start, with the remedy', async () => {
  await sql`create table moving (id uuid, status text not null default 'job_status_not_started', primary key (id, status))
    partition by list (status)`.execute(db)
  await addJobColumns(db, 'moving')
  const refusal =
    /told apart by a column that is written while they run \('status'\).*partitioned by id, created_at, run_at/
  await expect(createWorker(db, 'moving', () => {}).start()).rejects.toThrow(refusal)
  expect(found(await examine(db, { tables: ['moving'] }), 'not-a-job-table').what).toMatch(refusal)
})
