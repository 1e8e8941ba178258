import { CamelCasePlugin, sql } from 'kysely'
import {
  createJobHistory,
  createJobIndexes,
  createJobLimits,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
  createJobTriggers,
  createKeyIndexes,
  createUniqueIndex,
  setJobStorage,
} from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { ExamineError, examine } from '../../src/doctor/examine.js'
import { optionalColumnNames } from '../../src/schema/columns.js'
import { createTestDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'

test('in a database whose tables are as migrations make them nothing is found', async () => {
  await using database = await createTestDatabase()
  const { db, url } = database
  await sql`create schema billing; create schema "Odd ""schema"`.execute(db)
  await createJobTable(db, 'jobs', (table) => table.addColumn('tenant', 'integer', (it) => it.notNull()), {
    columns: optionalColumnNames,
    archive: {},
  })
  await createKeyIndexes(db, 'jobs', ['tenant'], { fifo: 'block' })
  await createUniqueIndex(db, 'jobs', ['tenant'], { within: true })
  await createJobTable(db, 'billing.jobs', undefined, { id: 'bigint', status: 'text', columns: ['priority'] })
  await createJobTable(db.withSchema('Odd "schema'), 'Order "Jobs', undefined, {
    id: 'int',
    archive: { every: '1 hour', keep: '2 days' },
  })
  for (const make of [createJobSchedules, createJobLimits, createJobPauses, createJobRunners, createJobHistory])
    await make(db)
  expect(await examine(db, { listen: url })).toEqual([])
})

test('nor in an IHP table with our indexes, triggers and storage, but that it knows no cancelled job', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await createIhpTable(db)
  for (const make of [createJobIndexes, createJobTriggers, setJobStorage]) await make(db, 'send_mail_jobs')
  expect(await examine(db)).toMatchObject([{ code: 'no-cancelled-status', severity: 'advice' }])
})

test('nor in a partitioned table', async () => {
  await using database = await createTestDatabase()
  const { db } = database
  await createJobTable(db, 'model')
  await sql`create table jobs (like model including defaults, primary key (id, created_at)) partition by range (created_at);
    create table jobs_old partition of jobs for values from (minvalue) to ('2026-01-01');
    create table jobs_new partition of jobs for values from ('2026-01-01') to (maxvalue);
    drop table model`.execute(db)
  for (const make of [createJobIndexes, createJobTriggers, setJobStorage]) await make(db, 'jobs')
  expect(await examine(db)).toEqual([])
})

test('tables are named as in every call, through the plugins of the handle', async () => {
  await using database = await createTestDatabase({ plugins: [new CamelCasePlugin()] })
  const { db } = database
  await createJobTable(db, 'mailJobs')
  await createJobTable(db, 'otherJobs')
  await sql`drop index job_ready_other_jobs`.execute(db)
  expect(await examine(db, { tables: ['mailJobs'] })).toEqual([])
  expect(await examine(db, { tables: ['otherJobs'] })).toMatchObject([{ code: 'missing-index' }])
  await expect(examine(db, { tables: ['noJobs'] })).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
})

test('in a transaction nothing can be examined', async () => {
  await using database = await createTestDatabase()
  const within = database.db.transaction().execute((trx) => examine(trx))
  await expect(within).rejects.toThrow(ExamineError)
})
