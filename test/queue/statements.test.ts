import { Kysely, PostgresDialect } from 'kysely'
import { enqueue, pruneJobs, retryJobs } from 'kysely-jobs'
import { createUniqueIndex } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, type LeasedOutcome, nextDueAt, rescue, settle } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { leasePattern } from '../../src/schema/lease-token.js'
import { testDatabase } from '../support/database.js'
import { createMailJobs, worker } from './mail-jobs.js'

const { pool } = await testDatabase(createMailJobs)
/** What is read for ourselves, as no type parser sees it. */
const text = 'pg_catalog.textout(("id")::text) as "kysely_jobs_text"'
const lines = (...parts: string[]) => parts.join(' ')

/** The statements that a verb sends, as they are, after they were run. */
async function sent(verb: (db: Kysely<any>) => Promise<unknown>): Promise<string[]> {
  const statements: string[] = []
  const db = new Kysely<any>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => {
      statements.push(query.sql)
    },
  })
  await verb(db)
  return statements
}

/** The commit waits for no disk. */
const later = `(select pg_catalog.set_config('synchronous_commit', 'off', true)) = 'off'`

test('a fetch locks the next ids once, in an array, and updates by primary key', async () => {
  expect(await sent((db) => fetchNextJobs(db, 'mail_jobs', { worker, limit: 10 }))).toEqual([
    lines(
      `update "mail_jobs" as "kysely_jobs_row" set "status" = 'job_status_running', "locked_at" = clock_timestamp(), "locked_by" = $1,`,
      `"attempts_count" = case when "attempts_count" < case when pg_column_size("attempts_count") = 2 then 32767`,
      `when pg_column_size("attempts_count") = 4 then 2147483647 else 9223372036854775807 end then "attempts_count" + 1 else coalesce("attempts_count", 1) end`,
      `where "id" = any(array((select "id" from "mail_jobs" as "kysely_jobs_row"`,
      `where "status" in ('job_status_not_started', 'job_status_retry')`,
      `and ("locked_by" = "locked_by") is not true and "run_at" <= now() order by "run_at" limit $2`,
      `for no key update skip locked))) and ${later} returning *`,
    ),
  ])
})

test('a fetch by priority goes level by level, each in the order of run_at', async () => {
  const [statement] = await sent((db) => fetchNextJobs(db, 'mail_jobs', { worker, limit: 10, columns: ['priority'] }))
  expect(statement).toContain(
    lines(
      `select "kysely_jobs_due".* from "kysely_jobs_level" inner join lateral (select "id" from "mail_jobs" as "kysely_jobs_row"`,
      `where "status" in ('job_status_not_started', 'job_status_retry')`,
      `and ("locked_by" = "locked_by") is not true and "run_at" <= now() and "priority" = "kysely_jobs_level"."priority"`,
      `order by "run_at" limit $5 for no key update skip locked) as "kysely_jobs_due" on true limit $6`,
    ),
  )
})

test('a success writes four columns, fenced by id, worker and attempt', async () => {
  const outcomes = [1, 2, 3].map(() => ({ id: crypto.randomUUID(), attempt: 2, kind: 'succeeded' }) as const)
  expect(await sent((db) => settle(db, 'mail_jobs', outcomes, { worker }))).toEqual([
    lines(
      `update "mail_jobs" as "kysely_jobs_row" set "status" = 'job_status_succeeded', "locked_by" = $1, "updated_at" = clock_timestamp()`,
      `where ("id" = any($2) and "locked_by" = any($3) and "attempts_count" = $4) returning ${text}`,
    ),
  ])
})

test('a success that is deleted is one statement, fenced as one that is kept; locked rows are passed over if asked for', async () => {
  const outcomes = [1, 2, 3].map(() => ({ id: crypto.randomUUID(), attempt: 2, kind: 'succeeded' }) as const)
  const deletion = (options: object) =>
    sent((db) => settle(db, 'mail_jobs', outcomes, { worker, succeeded: 'delete', ...options }))
  const fence = (n: number) => `"id" = any($${n}) and "locked_by" = any($${n + 1}) and "attempts_count" = $${n + 2}`
  expect(await deletion({})).toEqual([
    `delete from "mail_jobs" as "kysely_jobs_row" where (${fence(1)}) returning ${text}`,
  ])
  expect(await deletion({ skipLocked: true })).toEqual([
    lines(
      `delete from "mail_jobs" as "kysely_jobs_row" where "id" = any(array((select "id" from "mail_jobs" as "kysely_jobs_row"`,
      `where (${fence(1)}) for update skip locked))) returning ${text} /* prepared */`,
    ),
  ])
})

test('a batch is one statement for each kind of outcome and each attempt number', async () => {
  const outcomes: LeasedOutcome[] = [
    { id: crypto.randomUUID(), attempt: 1, kind: 'succeeded' },
    { id: crypto.randomUUID(), attempt: 2, kind: 'succeeded' },
    { id: crypto.randomUUID(), attempt: 1, kind: 'retry', error: 'no' },
    { id: crypto.randomUUID(), attempt: 1, kind: 'succeeded' },
  ]
  const statements = await sent((db) => settle(db, 'mail_jobs', outcomes, { worker }))
  expect(statements.filter((statement) => statement.startsWith('update'))).toHaveLength(3)
})

test('a heartbeat locks what is held and free, and writes one column', async () => {
  expect(await sent((db) => heartbeat(db, 'mail_jobs', [{ id: crypto.randomUUID(), attempt: 2 }], { worker }))).toEqual(
    [
      lines(
        `update "mail_jobs" as "kysely_jobs_row" set "locked_at" = clock_timestamp() where "id" = any(array((select "id"`,
        `from "mail_jobs" as "kysely_jobs_row" where (("id" = any($1) and "locked_by" = any($2) and "attempts_count" = $3)`,
        `and ${later}) for no key update skip locked))) returning ${text} /* prepared */`,
      ),
    ],
  )
})

test('a rescue looks for expired leases by the running index', async () => {
  const length = (n: number) =>
    `coalesce(('x' || substring("locked_by"::text collate "C" from '${leasePattern}'))::bit(32)::int8, $${n}::float8)::float8`
  const [statement] = await sent((db) => rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 5 }))
  expect(statement).toContain(
    lines(
      `where "id" = any(array((select "id" from "mail_jobs" as "kysely_jobs_row" where "status" in ('job_status_running')`,
      `and case when ("status" in ('job_status_running') and ("locked_at" between now() - ${length(6)} * interval '1 millisecond'`,
      `and clock_timestamp() + ${length(7)} * interval '1 millisecond') is not true)`,
      `then pg_try_advisory_xact_lock(hashtextextended(concat('kysely-jobs lease ', "tableoid", ' ', "id"), 0)) else false end`,
      `order by "locked_by" limit $8`,
      `for no key update skip locked)))`,
    ),
  )
})

test('the next due time is the first entry of the ready index', async () => {
  const [statement] = await sent((db) => nextDueAt(db, 'mail_jobs'))
  expect(statement).toContain(`is not true order by "run_at" limit $1`)
})

test('a prune deletes a chunk of the oldest', async () => {
  expect((await sent((db) => pruneJobs(db, 'mail_jobs', { olderThan: '7d' }))).at(-1)).toEqual(
    lines(
      `delete from "mail_jobs" as "kysely_jobs_row" where "id" = any(array((select "id" from "mail_jobs" as "kysely_jobs_row"`,
      `where ("status" not in ('job_status_not_started', 'job_status_retry', 'job_status_running')`,
      `and "updated_at" < now() - $1::float8 * interval '1 millisecond') order by "updated_at" limit $2`,
      `for update skip locked)))`,
    ),
  )
})

test('a retry of final and pending jobs goes by their ids: no partial index invites the planner', async () => {
  const statements = await sent((db) => retryJobs(db, 'mail_jobs', { ids: [crypto.randomUUID()] }))
  expect(statements.at(-1)).toContain(
    `where ("id" = any($5) and case when not "status" in ('job_status_running') then true else false end) returning "id"`,
  )
})

test('an enqueue of a unique job inserts it or finds the one that stands, by literals that prove the index', async () => {
  await createUniqueIndex(new Kysely<any>({ dialect: new PostgresDialect({ pool }) }), 'mail_jobs', ['to'])
  const unique = ['to'] as const
  const unfinished = `"status" in ('job_status_not_started', 'job_status_retry', 'job_status_running')`
  const put = `insert into "mail_jobs" ("to") values ($2) on conflict ("to") where ${unfinished}`
  const [ignored, ...none] = await sent((db) => enqueue(db, 'mail_jobs', { to: 'ada' }, { unique }))
  expect(none).toEqual([])
  expect(ignored).toContain(`${put} do nothing returning *`)
  expect(ignored).toContain(`where kysely_jobs_row."to" = kysely_jobs_given."to" and ${unfinished} limit $3`)
  const [replaced] = await sent((db) => enqueue(db, 'mail_jobs', { to: 'ada' }, { unique, onConflict: 'replace' }))
  expect(replaced).toContain(`${put} do update set "to" = excluded."to", "run_at" = excluded."run_at"`)
  expect(replaced).toContain(`where "mail_jobs"."status" in ('job_status_not_started', 'job_status_retry') returning *`)
})
