import { CamelCasePlugin, type Expression, type Kysely, type SqlBool, sql } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import {
  finalStatuses,
  hasStatus,
  isClaimable,
  isDue,
  isFinal,
  isPending,
  isRunning,
  isUnlocked,
  jobStatuses,
  pendingStatuses,
} from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { type Database, someone } from './mail-jobs.js'

const { db } = await testDatabase<Database>(async (handle) => {
  await createJobTable(handle, 'mail_jobs', (table) => table.addColumn('user_id', 'integer'), { notify: 'none' })
  await sql`create table users (id int primary key, run_at timestamptz, status text not null)`.execute(handle)
})

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

/** The statuses of the jobs that a predicate picks, of one job of each status. */
async function statusesWith(predicate: Expression<SqlBool>): Promise<JobStatus[]> {
  await db
    .insertInto('mail_jobs')
    .values(jobStatuses.map((status) => ({ status })))
    .execute()
  const rows = await db.selectFrom('mail_jobs').select('status').where(predicate).orderBy('status').execute()
  return rows.map(({ status }) => status)
}

const inOrder = (statuses: readonly JobStatus[]) => jobStatuses.filter((status) => statuses.includes(status))

test('pending is not started or in retry', async () => {
  expect(await statusesWith(isPending())).toEqual(inOrder(pendingStatuses))
})

test('final is everything that neither waits nor runs', async () => {
  expect(await statusesWith(isFinal())).toEqual(inOrder(finalStatuses))
})

test('running is running', async () => {
  expect(await statusesWith(isRunning())).toEqual(['job_status_running'])
})

test('a job has one of the statuses that are asked for', async () => {
  const wanted = ['job_status_failed', 'job_status_timed_out'] as const
  expect(await statusesWith(hasStatus(wanted))).toEqual(wanted)
})

test('no job has a status of no statuses', async () => {
  expect(await statusesWith(hasStatus([]))).toEqual([])
})

test('statuses are literals in the text, never parameters: a generic plan keeps the partial index', () => {
  const query = db.selectFrom('mail_jobs').select('id').where(isClaimable()).where(isFinal()).where(isRunning())
  expect(query.compile()).toMatchObject({ parameters: [] })
  expect(db.selectFrom('mail_jobs').select('id').where(isClaimable()).compile().sql).toBe(
    `select "id" from "mail_jobs" where ("status" in ('job_status_not_started', 'job_status_retry') and "run_at" <= now() and ("locked_by" = "locked_by") is not true)`,
  )
})

test('a table of the seed, whose enum has no cancelled, can be asked what is final', async () => {
  await sql`create type six as enum (${sql.join(jobStatuses.slice(0, 6).map((status) => sql.lit(status)))});`.execute(
    db,
  )
  await sql`create table ihp_jobs (status six not null)`.execute(db)
  const handle: Kysely<any> = db
  await handle
    .insertInto('ihp_jobs')
    .values([{ status: 'job_status_failed' }, { status: 'job_status_retry' }])
    .execute()
  expect(await handle.selectFrom('ihp_jobs').selectAll().where(isFinal()).execute()).toEqual([
    { status: 'job_status_failed' },
  ])
})

test('due is when run_at has come, to the microsecond, and for ever after', async () => {
  const due = async (runAt: string) => {
    await db.deleteFrom('mail_jobs').execute()
    await db
      .insertInto('mail_jobs')
      .values({ run_at: sql<Date>`${sql.raw(runAt)}` })
      .execute()
    return (await db.selectFrom('mail_jobs').select('id').where(isDue()).execute()).length === 1
  }
  expect(await due('now()')).toBe(true)
  expect(await due(`'-infinity'`)).toBe(true)
  expect(await due(`now() + interval '1 hour'`)).toBe(false)
  expect(await due(`'infinity'`)).toBe(false)
  const { rows } = await sql<{ due: boolean[] }>`
    select array_agg(${isDue()} order by run_at) as due
    from (values (now()), (now() + interval '1 microsecond')) as mail_jobs(run_at)`.execute(db)
  expect(rows[0]?.due).toEqual([true, false])
})

test('unlocked is held by nobody', async () => {
  await db
    .insertInto('mail_jobs')
    .values([{ user_id: 1 }, { user_id: 2, locked_by: someone }])
    .execute()
  const users = (predicate: Expression<SqlBool>) =>
    db.selectFrom('mail_jobs').select('user_id').where(predicate).execute()
  expect(await users(isUnlocked())).toEqual([{ user_id: 1 }])
  expect(await users(sql<SqlBool>`not ${isUnlocked()}`)).toEqual([{ user_id: 2 }])
})

test('claimable is pending, due and unlocked', async () => {
  const later = sql<Date>`now() + interval '1 hour'`
  await db
    .insertInto('mail_jobs')
    .values([
      { user_id: 1 },
      { user_id: 2, status: 'job_status_retry' },
      { user_id: 3, status: 'job_status_succeeded' },
      { user_id: 4, locked_by: someone },
      { user_id: 5, run_at: later },
    ])
    .execute()
  expect(await db.selectFrom('mail_jobs').select('user_id').where(isClaimable()).orderBy('user_id').execute()).toEqual([
    { user_id: 1 },
    { user_id: 2 },
  ])
})

test('in a join, or under an alias, the table is named', async () => {
  await db.insertInto('users').values({ id: 1, run_at: null, status: 'active' }).execute()
  await db
    .insertInto('mail_jobs')
    .values([{ user_id: 1 }, { user_id: 1, status: 'job_status_failed' }])
    .execute()
  const joined = db.selectFrom('mail_jobs').innerJoin('users', 'users.id', 'mail_jobs.user_id')
  expect(await joined.select('mail_jobs.status').where(isClaimable('mail_jobs')).execute()).toEqual([
    { status: 'job_status_not_started' },
  ])
  await expect(joined.select('users.id').where(isDue()).execute()).rejects.toThrow('"run_at" is ambiguous')
  const aliased = db.selectFrom('users as u').innerJoin('mail_jobs as m', 'm.user_id', 'u.id')
  expect(await aliased.select(['u.status', 'm.status as job']).where(isFinal('m')).execute()).toEqual([
    { status: 'active', job: 'job_status_failed' },
  ])
})

test('as one condition among those of the user, and as a column of its own', async () => {
  await db
    .insertInto('mail_jobs')
    .values([{ user_id: 1 }, { user_id: 2 }, { user_id: 3, locked_by: someone }])
    .execute()
  const rows = await db
    .selectFrom('mail_jobs')
    .select((eb) => ['user_id', eb.and([isPending(), isUnlocked()]).as('free')])
    .where((eb) => eb.or([eb('user_id', '=', 1), eb.not(isUnlocked())]))
    .orderBy('user_id')
    .execute()
  expect(rows).toEqual([
    { user_id: 1, free: true },
    { user_id: 3, free: false },
  ])
})

test('with CamelCasePlugin the columns keep their names, and the table is named as its users name it', async () => {
  const camel: Kysely<any> = db.withPlugin(new CamelCasePlugin())
  await camel.insertInto('mailJobs').values({ userId: 7 }).execute()
  const query = camel.selectFrom('mailJobs').select('userId').where(isClaimable('mailJobs'))
  expect(query.compile().sql).toContain('"mail_jobs"."run_at" <= now()')
  expect(await query.execute()).toEqual([{ userId: 7 }])
  expect(await camel.selectFrom('mailJobs').select('userId').where(isClaimable()).execute()).toEqual([{ userId: 7 }])
})

test('a table of another schema is named by itself with withSchema, or by its whole name', async () => {
  await sql`create schema billing`.execute(db)
  const handle: Kysely<any> = db
  await createJobTable(handle, 'billing.jobs', undefined, { notify: 'none' })
  await handle.insertInto('billing.jobs').defaultValues().execute()
  expect(
    await handle.withSchema('billing').selectFrom('jobs').select('id').where(isDue('jobs')).execute(),
  ).toHaveLength(1)
  expect(await handle.selectFrom('billing.jobs').select('id').where(isDue('billing.jobs')).execute()).toHaveLength(1)
})
