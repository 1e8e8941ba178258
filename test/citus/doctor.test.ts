import { sql } from 'kysely'
import { createJobTable, createKeyIndexes, dropKeyIndexes } from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { storageChecks } from '../../src/doctor/checks/storage.js'
import { examine } from '../../src/doctor/examine.js'
import { readShards } from '../../src/doctor/facts/shard-facts.js'
import { type Part, readTable, type TableFacts } from '../../src/doctor/facts/table-facts.js'
import { findings } from '../../src/doctor/finding.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { found } from '../doctor/examining.js'
import { spreadDatabase } from './spread.js'

// What the doctor finds of tables that are elsewhere, where the server refuses what Citus refuses.

const { db, plain, refused } = await spreadDatabase({ unique: [] })
const mail = { schema: 'public', name: 'mail_jobs' }
const of = (table: string) => examine(db, { tables: [table], pooling: false })

beforeEach(() => {
  refused.splice(0)
})

test('nothing is wrong with a distributed table as it is made, nor is there advice on it', async () => {
  expect(await of('mail_jobs')).toEqual([])
  const { advice } = await inspectJobTable(db, 'mail_jobs')
  expect(advice).toEqual([expect.stringContaining('no triggers for it')])
  expect(refused).toEqual([])
})

test('what is wrong with its rows is found on all nodes', async () => {
  onTestFinished(() =>
    plain
      .deleteFrom('mail_jobs')
      .execute()
      .then(() => {}),
  )
  await sql`insert into mail_jobs (tenant_id, note, run_at) select i % 3, 'x', now() - interval '1 hour' from generate_series(1, 9) i`.execute(
    plain,
  )
  expect(found(await of('mail_jobs'), 'unserved-jobs').what).toContain('9 jobs of mail_jobs have waited to begin')
  expect(refused).toEqual([])
})

test('the index of its values is missed, and the remedy makes it', async () => {
  await dropKeyIndexes(db, 'mail_jobs', ['tenant_id'])
  const { what, migration } = found(await of('mail_jobs'), 'missing-index')
  expect(what).toBe(
    'The index of mail_jobs is missing by which jobs of one tenant_id are found, in the order in which they are due.',
  )
  expect(migration).toBe("await createKeyIndexes(db, 'mail_jobs', ['tenant_id'], { concurrently: true })")
  await createKeyIndexes(db, 'mail_jobs', ['tenant_id'], { concurrently: true })
  expect(await of('mail_jobs')).toEqual([])
})

test('of an index whose reads other servers count none is said to be read by nobody', async () => {
  await sql`create index mine on mail_jobs (locked_at)`.execute(plain)
  onTestFinished(() => sql`drop index mine`.execute(plain).then(() => {}))
  const { what, sql: statements } = found(await of('mail_jobs'), 'costly-index')
  expect(what).toBe('The index mine of mail_jobs is over locked_at, which the queue writes.')
  expect(statements).toBeUndefined()
})

test('an archive to which no worker moves jobs is found, with what takes the table back', async () => {
  await createJobTable(db, 'kept_jobs', undefined, { archive: {}, notify: 'none' })
  expect(await of('kept_jobs')).toMatchObject([{ code: 'no-triggers' }])
  await sql`select create_distributed_table('kept_jobs', 'id')`.execute(db)
  const { what, sql: statements } = found(await of('kept_jobs'), 'archive-unfit')
  expect(what).toBe('No job is moved to kept_jobs_archive, as kept_jobs is distributed over nodes.')
  expect(statements).toEqual([`select undistribute_table('"public"."kept_jobs"')`])
  expect(refused).toEqual([])
})

test('a reference table, and one that is distributed by a boolean, are found before a worker refuses them', async () => {
  await createJobTable(db, 'reference_jobs', undefined, { notify: 'none' })
  await sql`select create_reference_table('reference_jobs')`.execute(db)
  const { sql: statements } = found(await of('reference_jobs'), 'reference-table')
  expect(statements).toEqual([`select undistribute_table('"public"."reference_jobs"')`])
  const flagged = { notify: 'none' } as const
  await createJobTable(db, 'flag_jobs', (table) => table.addColumn('flag', 'boolean', (it) => it.notNull()), flagged)
  await sql`alter table flag_jobs drop constraint flag_jobs_pkey, add primary key (flag, id)`.execute(db)
  await sql`select create_distributed_table('flag_jobs', 'flag')`.execute(db)
  expect(found(await of('flag_jobs'), 'distributed-by-boolean').what).toContain('distributed by flag, a boolean')
})

test('statistics are those of its shards', async () => {
  const { db: handle } = jobsOf(db, '')
  const facts = await readTable(handle as never, mail, { version: 150_000, role: 'postgres' }) // whatever its tables are
  expect(facts?.parts).toMatchObject([{ ...mail, shards: 1 }])
  expect(await readShards(handle as never, { schema: 'public', name: 'no_jobs' })).toBeUndefined()
  expect(refused).toEqual([])
})

test('shards are vacuumed one by one, and so their dead rows are many where those of one would be', () => {
  const part = { ...mail, options: null, live: 0, dead: 300_000, vacuumed: null, isVacuuming: false }
  const whole: Part = { ...part, bytes: 0, rows: 0, width: null }
  const codes = (shards: number) => {
    const facts = { table: mail, parts: [{ ...whole, shards }], engine: { heap: false } } as unknown as TableFacts // what is looked at
    return findings(storageChecks, facts).map(({ code }) => code)
  }
  expect([codes(2), codes(32)]).toEqual([['dead-rows'], []])
})
