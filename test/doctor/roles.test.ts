import { sql } from 'kysely'
import { createJobArchive, createJobPauses, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import { actingAs, createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, quietPool, testDatabase } from '../support/database.js'
import { found, paste } from './examining.js'

const database = await testDatabase(async (db) => {
  await sql`create schema billing`.execute(db)
  await createJobTable(db, 'jobs', (table) => table.addColumn('n', 'serial'))
  await createJobTable(db, 'billing.jobs')
})
const { db } = database

/** What a role finds of one table, but for whatever is hidden from it of other sessions. */
async function examined(role: string, table: string) {
  const handle = handleAs(database, role)
  return (await examine(handle, { tables: [table] })).filter(
    ({ sql: statements }) => !statements?.[0]?.includes('pg_read_all_stats'),
  )
}

test('a role without any right: what it may not examine is told, the other checks go on, and the SQL grants it', async () => {
  const role = await createRole(database)
  const all = await examined(role, 'jobs')
  expect(all.map(({ code }) => code)).toEqual(['no-privilege', 'not-examined'])
  expect(all[0]?.what).toContain(`The role ${role} may use jobs only in part`)
  expect(all[1]?.what).toMatch(/^The rows of jobs could not be examined: permission denied for table jobs \(42501\)$/)
  await paste(database, all[0]?.sql)
  expect(await examined(role, 'jobs')).toMatchObject([
    {
      code: 'few-privileges',
      severity: 'advice',
      what: `The role ${role} may not, in jobs: enqueue (INSERT); claim or end jobs (UPDATE); prune, delete or archive (DELETE).`,
    },
  ])
})

test('a table beside job tables that it may not read', async () => {
  await createJobPauses(db)
  const role = await createRole(database)
  const handle = handleAs(database, role)
  const finding = found(await examine(handle), 'side-table-unfit')
  expect(finding).toMatchObject({
    what: '"public"."job_pauses" may not be used by this role.',
    why: 'Until it is mended these do not work: pauses of tables and keys.',
    remedy: 'Grant select on "public"."job_pauses" to it.',
    migration: undefined,
  })
  await paste(database, finding.sql)
  expect((await examine(handle)).filter(({ code }) => code === 'side-table-unfit')).toEqual([])
  await sql`drop table job_pauses`.execute(db)
})

test('tables in a schema that it may not use are found all the same', async () => {
  const role = await createRole(database)
  const handle = handleAs(database, role)
  const finding = (await examine(handle)).find(
    ({ code, table }) => code === 'no-privilege' && table?.schema === 'billing',
  )
  expect(finding?.sql?.[0]).toBe(`grant usage on schema "billing" to "${role}"`)
  await paste(database, finding?.sql)
  expect((await examined(role, 'billing.jobs')).map(({ code }) => code)).toEqual(['few-privileges'])
})

test('a grant to a worker that forgot a column, and one to an enqueuer that forgot the sequence', async () => {
  const [worker, enqueuer] = [await createRole(database), await createRole(database)]
  await sql
    .raw(`grant select, update (status, attempts_count, locked_at, locked_by, run_at, last_error) on jobs to ${worker}`)
    .execute(db)
  await sql.raw(`grant select, insert on jobs to ${enqueuer}`).execute(db)
  const forgotten = found(await examined(worker, 'jobs'), 'no-privilege')
  expect(forgotten.sql).toEqual([`grant update ("updated_at") on "public"."jobs" to "${worker}"`])
  const sequence = found(await examined(enqueuer, 'jobs'), 'no-privilege')
  expect(sequence.sql).toEqual([`grant usage on sequence public.jobs_n_seq to "${enqueuer}"`])
  for (const { sql: statements } of [forgotten, sequence]) await paste(database, statements)
  for (const role of [worker, enqueuer]) {
    expect((await examined(role, 'jobs')).map(({ severity }) => severity)).toEqual(['advice'])
  }
})

test('row-level security that holds for it, and not for who is above it', async () => {
  await using own = await createTestDatabase()
  await createJobTable(own.db, 'jobs')
  await sql`alter table jobs enable row level security`.execute(own.db)
  const role = await createRole(database)
  await sql.raw(`grant select, insert, update, delete on jobs to ${role}`).execute(own.db)
  const { Kysely, PostgresDialect } = await import('kysely')
  const as = new Kysely<any>({ dialect: new PostgresDialect({ pool: quietPool(actingAs(own, role)) }) })
  const codes = (await examine(as)).map(({ code }) => code)
  await as.destroy()
  expect(codes).toContain('row-level-security')
  expect(await examine(own.db)).toEqual([])
})

test('an archive whose partitions it may not have made', async () => {
  await createJobTable(db, 'kept_jobs')
  await createJobArchive(db, 'kept_jobs')
  const role = await createRole(database)
  await sql.raw(`grant select, insert, update, delete on kept_jobs, kept_jobs_archive to ${role}`).execute(db)
  const finding = found(await examined(role, 'kept_jobs'), 'archive-not-kept')
  await paste(database, finding.sql)
  const codes = (await examined(role, 'kept_jobs')).map(({ code }) => code)
  expect(codes).not.toContain('archive-not-kept')
})

test('what sessions of others do is hidden from it, and says so, until it may read the statistics', async () => {
  const role = await createRole(database)
  const handle = handleAs(database, role)
  const client = await database.pool.connect()
  const hidden = (await examine(handle, { tables: ['jobs'] })).find(({ what }) =>
    what.includes('sessions of other roles'),
  )
  client.release()
  expect(hidden).toMatchObject({ code: 'not-examined', sql: [`grant pg_read_all_stats to "${role}"`] })
  await paste(database, hidden?.sql)
  const after = await examine(handle, { tables: ['jobs'] })
  expect(after.filter(({ what }) => what.includes('sessions of other roles'))).toEqual([])
})
