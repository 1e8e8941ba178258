import { createJobTable } from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { spreadDatabase } from './spread.js'

const { db, plain } = await spreadDatabase()
const ordinary = await testDatabase()

test('a table is distributed by a column of its own, which is the first of its primary key', async () => {
  const found = await inspectJobTable(db, 'mail_jobs')
  expect(found.home).toMatchObject({
    engine: { name: 'Citus', triggers: 'none', volatileInUpdate: false },
    placement: { kind: 'distributed', by: 'tenant_id' },
  })
  const [primary] = (await plain.introspection.getTables()).filter(({ name }) => name === 'mail_jobs')
  expect(primary?.columns.map(({ name }) => name)).toContain('tenant_id')
})

test('one that has no such column gets a bucket', async () => {
  await createJobTable(db, 'bucket_jobs', undefined, { distributeBy: 'bucket' })
  const { home, columns } = await inspectJobTable(db, 'bucket_jobs')
  expect(home.placement).toEqual({ kind: 'distributed', by: 'bucket' })
  expect(columns.get('bucket')).toBe('smallint')
})

test.each([
  ['tenant', 'distributeBy: "public"."wrong_jobs" has no column \'tenant\'; there are id, created_at'],
  ['', "distributeBy:  names no column; give one of yours, as in 'tenant_id', or 'bucket', which is made"],
])('a column that is not there is an error, and no table is made: %j', async (distributeBy, said) => {
  await expect(createJobTable(db, 'wrong_jobs', undefined, { distributeBy })).rejects.toThrow(said)
  expect((await plain.introspection.getTables()).map(({ name }) => name)).not.toContain('wrong_jobs')
})

test('without Citus there is nothing to distribute a table to', async () => {
  await expect(createJobTable(ordinary.db, 'jobs', undefined, { distributeBy: 'bucket' })).rejects.toThrow(
    "distributeBy: 'bucket' is for a server with Citus, and this database has not got the extension: leave the option out, or let an earlier migration say: create extension citus",
  )
})
