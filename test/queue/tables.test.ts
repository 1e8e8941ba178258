import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { cancelJobs, countJobs, enqueue, pruneJobs, retryJobs } from 'kysely-jobs'
import { addJobColumns, createJobIndexes, createJobTable, createJobTriggers } from 'kysely-jobs/migrate'
import {
  fetchNextJobs,
  findExpired,
  heartbeat,
  jobStates,
  type Lease,
  type LeasedOutcome,
  nextDueAt,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { attemptOf, idOf } from '../../src/schema/row.js'
import { jobStatuses } from '../../src/schema/statuses.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'

const { db } = await testDatabase()

/** Every verb once, as jobs go through a table; `values` are seven new jobs. */
async function everyVerb(handle: Kysely<any>, table: string, values: object[], seedStatuses = false): Promise<void> {
  const put = await enqueue(handle, table, values)
  expect(put).toHaveLength(7)
  expect(await nextDueAt(handle, table)).toBeLessThanOrEqual(0)
  const claimed = await fetchNextJobs(handle, table, { worker, limit: 10 })
  expect(claimed.map(idOf).map(String).toSorted()).toEqual(put.map(idOf).map(String).toSorted())
  const leases: Lease[] = claimed.map((job) => ({ id: idOf(job), attempt: attemptOf(job) }))
  const [a, b, c, d, e, f, g] = leases as [Lease, Lease, Lease, Lease, Lease, Lease, Lease]
  expect(await heartbeat(handle, table, leases, { worker })).toHaveLength(7)
  const outcomes: LeasedOutcome[] = [
    { ...a, kind: 'succeeded' },
    { ...b, kind: 'failed', error: 'no' },
    { ...c, kind: 'retry', error: 'not yet' },
    { ...d, kind: 'cancelled', reason: 'enough' },
  ]
  expect(await settle(handle, table, outcomes, { worker, seedStatuses })).toEqual(outcomes)
  expect(await release(handle, table, [e], { worker })).toEqual([e])
  expect(await findExpired(handle, table, { lease: '1h' })).toEqual([])
  expect(await rescue(handle, table, { lease: 0, maxAttempts: 9, only: [f] })).toMatchObject([{ id: f.id, attempt: 1 }])
  expect(await cancelJobs(handle, table, { ids: [g.id] })).toEqual([g.id])
  const cancelled = seedStatuses ? 'failed' : 'cancelled'
  expect(
    (
      await jobStates(
        handle,
        table,
        leases.map(({ id }) => id),
      )
    )
      .map(({ id, status }) => `${id} ${status}`)
      .toSorted(),
  ).toEqual(
    [
      [a, 'succeeded'],
      [b, 'failed'],
      [c, 'retry'],
      [d, cancelled],
      [e, 'not_started'],
      [f, 'retry'],
      [g, cancelled],
    ]
      .map(([lease, name]) => `${(lease as Lease).id} job_status_${name}`)
      .toSorted(),
  )
  expect(await retryJobs(handle, table, { ids: [a.id, b.id] })).toHaveLength(2)
  expect((await countJobs(handle, table, { exact: true })).due).toBe(4)
  expect(await pruneJobs(handle, table, { olderThan: 0 })).toBe(2)
  const again = await fetchNextJobs(handle, table, { worker, limit: 10 })
  const done = again.map((job) => ({ id: idOf(job), attempt: attemptOf(job), kind: 'succeeded' }) as const)
  expect(await settle(handle, table, done, { worker, skipLocked: true, succeeded: 'delete' })).toHaveLength(4)
  expect((await jobStates(handle, table, [a.id, b.id, c.id, e.id, f.id])).map(idOf)).toEqual([c.id]) // it waits
}

const seven = Array.from({ length: 7 }, (_, n) => ({ note: `job ${n}` }))
const note = (table: any) => table.addColumn('note', 'text')

test.each(['uuid', 'bigint', 'int'] as const)('every verb serves ids of type %s', async (id) => {
  await createJobTable(db, `${id}_jobs`, note, { id })
  await everyVerb(db, `${id}_jobs`, seven)
})

test('every verb serves ids that are text, whatever is in it', async () => {
  await createJobTable(db, 'text_jobs', note, { id: 'text' })
  const ids = ['plain', '', '{a,b}', 'quo"te', "apo'strophe", 'back\\slash', 'NULL']
  await everyVerb(
    db,
    'text_jobs',
    ids.map((id) => ({ id })),
  )
})

test('every verb serves ids that are varchar', async () => {
  await sql`create table varchar_jobs (id varchar(36) primary key default gen_random_uuid(), note text)`.execute(db)
  await addJobColumns(db, 'varchar_jobs')
  await everyVerb(db, 'varchar_jobs', seven)
})

test('every verb serves a status that is text, or the enum of the seed with six values', async () => {
  await createJobTable(db, 'text_status_jobs', note, { status: 'text' })
  await everyVerb(db, 'text_status_jobs', seven)
  const six = jobStatuses.filter((status) => status !== 'job_status_cancelled')
  await sql`create schema ihp; create type ihp.job_status as enum (${sql.join(six.map((status) => sql.lit(status)))})`.execute(
    db,
  )
  await createJobTable(db, 'ihp.jobs', note)
  await everyVerb(db, 'ihp.jobs', seven, true)
})

test.each(['order', 'My "odd" jobs; drop table users --', "it's jobs", 'aufträge 🧾', 'jobs as usual', 'UPPER', 'job'])(
  'every verb serves a table called %s',
  async (name) => {
    await createJobTable(db, name, note)
    await everyVerb(db, name, seven)
  },
)

test('every verb serves a table of another schema, by its full name and by withSchema', async () => {
  await sql`create schema "Billing 2"`.execute(db)
  await createJobTable(db, 'Billing 2.jobs', note, { columns: ['priority'] })
  await everyVerb(db, 'Billing 2.jobs', seven)
  await db.deleteFrom('Billing 2.jobs').execute()
  const billing = db.withSchema('Billing 2')
  await everyVerb(billing, 'jobs', seven)
  await enqueue(billing, 'jobs', { priority: 5 })
  expect(await nextDueAt(billing, 'jobs', { columns: ['priority'] })).toBeLessThanOrEqual(0)
  expect(await fetchNextJobs(billing, 'jobs', { worker, limit: 1, columns: ['priority'] })).toMatchObject([
    { priority: 5 },
  ])
})

test('every verb serves users of CamelCasePlugin, in their own names', async () => {
  await using camel = await createTestDatabase({ plugins: [new CamelCasePlugin()] })
  await createJobTable(camel.db, 'sendMailJobs', (table) => table.addColumn('toWhom', 'text'), {
    columns: ['max_attempts', 'priority', 'result'],
  })
  await everyVerb(
    camel.db,
    'sendMailJobs',
    seven.map(({ note }) => ({ toWhom: note, maxAttempts: 3 })),
  )
  await enqueue(camel.db, 'sendMailJobs', { toWhom: 'ada', priority: 9 })
  const [job] = await fetchNextJobs(camel.db, 'sendMailJobs', { worker, limit: 1, columns: ['priority'] })
  expect(job).toMatchObject({ toWhom: 'ada', attemptsCount: 1, lockedBy: worker })
  const outcome: LeasedOutcome = { id: job?.id, attempt: 1, kind: 'succeeded', result: { sentTo: 'ada' } }
  await settle(camel.db, 'sendMailJobs', [outcome], { worker, columns: ['result'] })
  const { rows } = await sql`select result from send_mail_jobs where id = ${job?.id}`.execute(camel.db.withoutPlugins())
  expect(rows).toEqual([{ result: { sentTo: 'ada' } }])
})

test('every verb serves a table in partitions by created_at', async () => {
  await sql`
    create table parted_jobs (id uuid not null default gen_random_uuid(), created_at timestamptz not null default now(), note text,
      primary key (id, created_at)) partition by range (created_at);
    create table parted_old partition of parted_jobs for values from (minvalue) to ('2026-01-01');
    create table parted_new partition of parted_jobs for values from ('2026-01-01') to (maxvalue)`.execute(db)
  await addJobColumns(db, 'parted_jobs')
  await createJobIndexes(db, 'parted_jobs')
  await createJobTriggers(db, 'parted_jobs')
  await everyVerb(db, 'parted_jobs', seven)
  await sql`insert into parted_jobs (created_at, note) values ('2020-01-01', 'old')`.execute(db)
  const claimed = await fetchNextJobs(db, 'parted_jobs', { worker, limit: 10 })
  expect(claimed.map((job) => job.note)).toContain('old')
})

test("every verb serves a table with triggers, defaults, generated columns and constraints of the user's", async () => {
  await createJobTable(db, 'rich_jobs', (table) =>
    note(table).addColumn('size', 'integer', (c: any) => c.defaultTo(3).notNull()),
  )
  await sql`
    create domain filled as text not null;
    alter table rich_jobs add kind filled default 'mail', add double int generated always as (size * 2) stored,
      add moments tstzrange not null default tstzrange(now(), null), add check (attempts_count >= 0);
    create table log (what text);
    create function touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
    create function note_it() returns trigger language plpgsql as $$ begin insert into log values (tg_op); return null; end $$;
    create trigger touch before update on rich_jobs for each row execute function touch();
    create trigger note_it after insert or update or delete on rich_jobs for each row execute function note_it()`.execute(
    db,
  )
  await everyVerb(db, 'rich_jobs', seven)
  const { rows } = await sql`select what from log group by what order by what`.execute(db)
  expect(rows).toEqual([{ what: 'DELETE' }, { what: 'INSERT' }, { what: 'UPDATE' }])
})

test('a table whose attempts are counted in a bigint is served with numbers', async () => {
  await createJobTable(db, 'wide_jobs', note)
  await sql`alter table wide_jobs alter attempts_count type bigint`.execute(db)
  await everyVerb(db, 'wide_jobs', seven)
  const { id } = await enqueue(db, 'wide_jobs', {})
  await fetchNextJobs(db, 'wide_jobs', { worker, limit: 100 })
  expect(await jobStates(db, 'wide_jobs', [id])).toMatchObject([{ attempt: 1 }])
})
