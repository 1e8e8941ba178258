import { sql } from 'kysely'
import { resetJobStorage, setJobStorage } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import type { FindingCode } from '../../src/doctor/finding.js'
import { found, paste } from '../doctor/examining.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createPartitioned } from './shapes.js'

/** What is done to a partitioned table, and what is said of it. */
const broken: readonly [title: string, sql: string, code: FindingCode, says: string][] = [
  [
    'a trigger is disabled in a partition alone',
    'alter table by_both_old disable trigger did_insert_job_by_both',
    'disabled-trigger',
    'did_insert_job_by_both of by_both_old is disabled.',
  ],
  [
    'a trigger is disabled for all',
    'alter table by_both disable trigger did_update_job_by_both',
    'disabled-trigger',
    'did_update_job_by_both of by_both_ann, did_update_job_by_both of by_both_new, and did_update_job_by_both of by_both_old are disabled.',
  ],
  [
    'inserts are told by a trigger of the statement, as before',
    `create or replace trigger did_insert_job_by_both after insert on by_both referencing new table as new_rows
      for each statement execute function notify_job_queued_by_both()`,
    'old-trigger',
    'did_insert_job_by_both of by_both is not what createJobTriggers makes',
  ],
  [
    'a later partition has no storage settings',
    `create table by_both_bob partition of by_both for values in ('bob')`,
    'storage-settings',
    'by_both_bob has no setting of its own for fillfactor',
  ],
  [
    'it has no triggers',
    'drop trigger did_insert_job_by_both on by_both; drop trigger did_update_job_by_both on by_both; drop function notify_job_queued_by_both()',
    'no-triggers',
    'The triggers did_insert_job_by_both and did_update_job_by_both are missing.',
  ],
]

test.each(broken)(
  'the doctor sees of partitioned tables that %s, and its SQL mends it',
  async (_, done, code, says) => {
    await using database = await createTestDatabase()
    const { db } = database
    await createPartitioned(db, 'by_both')
    await sql.raw(done).execute(db)
    const findings = await examine(db)
    expect(findings.map((each) => each.code)).toEqual([code])
    const { what, sql: statements } = found(findings, code)
    expect(what).toContain(says)
    await paste(database, statements)
    expect(await examine(db)).toEqual([])
  },
)

const { db } = await testDatabase()

const optionsOf = async (table: string) => {
  const { rows } = await sql<{ name: string; options: number }>`
    select relname as name, coalesce(array_length(reloptions, 1), 0) as options from pg_class
    where relkind = 'r' and oid in (select relid from pg_partition_tree(${table}::regclass)) order by 1`.execute(db)
  return Object.fromEntries(rows.map(({ name, options }) => [name, options]))
}

test('storage is that of each partition, also of those within partitions; of later ones when it is set again', async () => {
  await createPartitioned(db, 'by_both')
  expect(await optionsOf('by_both')).toEqual({ by_both_ann: 7, by_both_new: 7, by_both_old: 7 })
  await sql`create table by_both_bob partition of by_both for values in ('bob') with (fillfactor = 70)`.execute(db)
  await setJobStorage(db, 'by_both')
  expect(await optionsOf('by_both')).toEqual({ by_both_ann: 7, by_both_bob: 7, by_both_new: 7, by_both_old: 7 })
  await resetJobStorage(db, 'by_both')
  expect(await optionsOf('by_both')).toEqual({ by_both_ann: 0, by_both_bob: 0, by_both_new: 0, by_both_old: 0 })
})
