import { type Kysely, sql } from 'kysely'
import { cancelJobs, createWorker, enqueue, pruneJobs, retryJobs } from 'kysely-jobs'
import { addJobColumns, createJobIndexes } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, inspectJobTable, leaseOf, release, rescue, settle } from 'kysely-jobs/queue'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'

// what a session says of dates and zones must not decide what is written
const { db } = await testDatabase(undefined, { pool: { options: '-c TimeZone=Asia/Kolkata -c DateStyle=SQL,DMY' } })
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A table whose rows are told apart by more than their id. */
const shapes = {
  tenants: `create table tenants (id int, tenant text, note text, primary key (id, tenant))`,
  months: `create table months (id int, created_at timestamptz not null default now(), tenant text, note text, primary key (id, created_at)) partition by range (created_at);
    create table months_old partition of months for values from (minvalue) to ('2026-03-01 00:00:00.000001+00');
    create table months_new partition of months for values from ('2026-03-01 00:00:00.000001+00') to (maxvalue)`,
  hashes: `create table hashes (id int, tenant text, note text, primary key (tenant, id)) partition by hash (tenant);
    create table hashes_0 partition of hashes for values with (modulus 2, remainder 0);
    create table hashes_1 partition of hashes for values with (modulus 2, remainder 1)`,
} as const
const tables = Object.keys(shapes) as (keyof typeof shapes)[]

for (const table of tables) {
  await sql`${sql.raw(shapes[table])}`.execute(db)
  await addJobColumns(db, table, { columns: ['result', 'errors', 'priority'] })
  await createJobIndexes(db, table)
}

/** Jobs of the same id: due, due, succeeded long ago, running elsewhere, and due tomorrow. */
async function sameId(table: keyof typeof shapes): Promise<void> {
  await db.deleteFrom(table).execute()
  await sql`insert into ${sql.table(table)} (id, tenant, created_at, status, run_at, updated_at, locked_by, locked_at, attempts_count)
    values (1, 'due', '2026-03-01 00:00:00.000001+00', 'job_status_not_started', now(), now(), null, null, 0),
      (1, 'too', '2026-03-01 00:00:00.000002+00', 'job_status_not_started', now(), now(), null, null, 0),
      (1, 'ended', '2026-03-01 00:00:00+00', 'job_status_succeeded', now(), '2020-01-01', null, null, 1),
      (1, 'elsewhere', '2026-03-01 00:00:00.000003+00', 'job_status_running', now(), now(), ${worker}, now(), 1),
      (1, 'tomorrow', '2026-03-01 00:00:00.000004+00', 'job_status_not_started', now() + interval '1 day', now(), null, null, 0)`.execute(
    db,
  )
}

/** The statuses of those jobs, by tenant. */
async function statuses(table: keyof typeof shapes): Promise<Record<string, string>> {
  const rows: { tenant: string; status: string }[] = await db.selectFrom(table).select(['tenant', 'status']).execute()
  return Object.fromEntries(rows.map(({ tenant, status }) => [tenant, status.replace('job_status_', '')]))
}

const untouched = { ended: 'succeeded', elsewhere: 'running', tomorrow: 'not_started' }

test.each(tables)(
  'of jobs with one id each has its own life: in %s a worker runs just those that are due',
  async (table) => {
    await sameId(table)
    const seen: object[] = []
    const made = createWorker(
      db,
      table,
      (job) => {
        seen.push({ ...job })
        if (job.tenant === 'too') throw new Error('not yet')
        return 'done' as never
      },
      { logger: quiet, maxAttempts: 1 },
    )
    onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
    await made.start()
    await expect
      .poll(() => statuses(table), { timeout: 15_000 })
      .toEqual({ ...untouched, due: 'succeeded', too: 'failed' })
    expect(seen).toHaveLength(2)
    for (const job of seen) expect(Object.keys(job)).not.toContain('kysely_jobs_key')
    const rows = await db.selectFrom(table).select(['tenant', 'result', 'last_error']).execute()
    expect(rows.find(({ tenant }) => tenant === 'due')).toMatchObject({ result: 'done', last_error: null })
    expect(rows.find(({ tenant }) => tenant === 'elsewhere')).toMatchObject({ result: null, last_error: null })
  },
)

test.each(tables)(
  'of running jobs with one id a worker rescues each that it may, by the limit of each (%s)',
  async (table) => {
    await sameId(table)
    await sql`update ${sql.table(table)} set status = 'job_status_running', locked_by = gen_random_uuid(), attempts_count = 3,
    locked_at = now() - interval '1 hour' where tenant in ('due', 'too', 'ended')`.execute(db)
    await sql`alter table ${sql.table(table)} add constraint picky check (tenant <> 'due') not valid`.execute(db)
    onTestFinished(() => sql`alter table ${sql.table(table)} drop constraint picky`.execute(db).then(() => {}))
    const limits = { due: 9, too: 9, ended: 3 } as Record<string, number>
    const maxAttempts = ({ tenant }: { tenant: string }) => limits[tenant] ?? 1
    const made = createWorker(
      db as Kysely<any>,
      table as never,
      (() => {}) as never,
      { logger: quiet, maxAttempts } as never,
    )
    onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
    await made.start()
    await expect
      .poll(() => statuses(table))
      .toEqual({ ...untouched, due: 'running', too: 'succeeded', ended: 'failed' })
  },
)

test.each(tables)('every raw verb on %s writes to the row that it was given', async (table) => {
  await sameId(table)
  const { key } = await inspectJobTable(db, table)
  const [first, second, ...others] = await fetchNextJobs(db, table, { worker, limit: 5, key, columns: ['priority'] })
  expect(others).toEqual([])
  const [a, b] = [leaseOf(first as object), leaseOf(second as object)]
  const nameOf = (job: any): string => job.tenant
  expect(await heartbeat(db, table, [a], { worker, key })).toEqual([a])
  expect(await heartbeat(db, table, [a, { ...b, attempt: 2 }], { worker, key })).toEqual([a])
  await settle(db, table, [{ ...a, kind: 'retry', error: 'a', delay: 0 }], { worker, key, columns: ['errors'] })
  expect(await statuses(table)).toEqual({ ...untouched, [nameOf(first)]: 'retry', [nameOf(second)]: 'running' })
  expect(await release(db, table, [b], { worker, key })).toEqual([b])
  expect(await statuses(table)).toEqual({ ...untouched, [nameOf(first)]: 'retry', [nameOf(second)]: 'not_started' })
  const [again] = await fetchNextJobs(db, table, { worker, limit: 1, key })
  await sql`update ${sql.table(table)} set locked_at = now() - interval '1 hour' where tenant = ${nameOf(again)}`.execute(
    db,
  )
  expect(await rescue(db, table, { lease: '1m', maxAttempts: 9, key })).toMatchObject([{ id: 1 }])
  expect(await statuses(table)).toMatchObject(untouched)
  const [last] = await fetchNextJobs(db, table, { worker, limit: 1, key })
  const outcome = { ...leaseOf(last as object), kind: 'succeeded' } as const
  const ending = { worker, key, succeeded: 'delete', skipLocked: true } as const
  expect(await settle(db, table, [outcome], ending)).toEqual([outcome])
  expect(Object.keys(await statuses(table))).toHaveLength(4)
})

test.each(tables)('what people ask for touches no other job of the same id (%s)', async (table) => {
  await sameId(table)
  await cancelJobs(db, table, { where: (eb) => eb('tenant', '=', 'due') })
  expect(await statuses(table)).toEqual({ ...untouched, due: 'cancelled', too: 'not_started' })
  await retryJobs(db, table, { where: (eb) => eb('tenant', '=', 'due') })
  expect(await statuses(table)).toEqual({ ...untouched, due: 'not_started', too: 'not_started' })
  expect(await pruneJobs(db, table, { olderThan: '1d' })).toBe(1)
  const { ended, ...others } = untouched
  expect(await statuses(table)).toEqual({ ...others, due: 'not_started', too: 'not_started' })
})

test('a table whose id nothing proves to be unique is refused at start, with the remedy', async () => {
  await sql`create table loose (id uuid not null default gen_random_uuid(), note text)`.execute(db)
  await addJobColumns(db, 'loose')
  const refusal =
    /loose is not a job table: nothing proves that no two rows have the same id.*alter table "public"."loose" add primary key \(id\)/
  await expect(createWorker(db, 'loose', () => {}).start()).rejects.toThrow(refusal)
  for (const [index, drop] of [
    ['create unique index loose_id on loose (id) where note is null', 'drop index loose_id'],
    ['create unique index loose_id on loose ((id::text))', 'drop index loose_id'],
    ['create unique index loose_id on loose (lower(note), id)', 'drop index loose_id'],
    ['alter table loose add constraint loose_id unique (id) deferrable', 'alter table loose drop constraint loose_id'],
    ['create unique index loose_id on loose (id, note)', 'drop index loose_id'], // two rows may have no note
    ['create index loose_id on loose (id)', 'drop index loose_id'],
    [
      'alter table loose add primary key (id); create table child () inherits (loose)',
      'drop table child; alter table loose drop constraint loose_pkey',
    ],
  ] as const) {
    await sql`${sql.raw(index)}`.execute(db)
    await expect(inspectJobTable(db, 'loose'), index).rejects.toThrow(refusal)
    await sql`${sql.raw(drop)}`.execute(db)
  }
  await sql`create unique index loose_id on loose (id) include (note)`.execute(db)
  expect(await inspectJobTable(db, 'loose')).toMatchObject({ key: undefined })
  const { id } = await enqueue(db, 'loose', {})
  expect(await fetchNextJobs(db, 'loose', { worker, limit: 1 })).toMatchObject([{ id }])
})
