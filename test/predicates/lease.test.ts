import { type Expression, type SqlBool, sql } from 'kysely'
import { DurationError } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { holdsLease, isLeaseExpired } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { another, type Database, someone } from './mail-jobs.js'

const { db } = await testDatabase<Database>((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('user_id', 'integer'), { notify: 'none' }),
)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
})

const ago = (time: string) => sql<Date>`now() - ${time}::interval`

/** A running job, held since then. */
async function running(user: number, lockedAt: ReturnType<typeof ago> | null, locked = someone, attempt = 1) {
  const { id } = await db
    .insertInto('mail_jobs')
    .values({
      user_id: user,
      status: 'job_status_running',
      locked_at: lockedAt,
      locked_by: locked,
      attempts_count: attempt,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

const users = (predicate: Expression<SqlBool>) => query().where(predicate).orderBy('user_id').execute()
const query = () => db.selectFrom('mail_jobs').select('user_id')

test('a lease is expired when it was not renewed for longer than its length', async () => {
  await running(1, ago('61 s'))
  await running(2, ago('50 s'))
  expect(await users(isLeaseExpired('60s'))).toEqual([{ user_id: 1 }])
  expect(await users(isLeaseExpired(45_000))).toEqual([{ user_id: 1 }, { user_id: 2 }])
  expect(await users(isLeaseExpired('1h'))).toEqual([])
})

test('one that is as old as the lease to the microsecond still holds', async () => {
  const { rows } = await sql<{ expired: boolean[] }>`
    select array_agg(${isLeaseExpired('60s')} order by locked_at desc) as expired
    from (values ('job_status_running', 'anyone', now() - interval '60 s'), ('job_status_running', 'anyone', now() - interval '60.000001 s'))
      as mail_jobs(status, locked_by, locked_at)`.execute(db)
  expect(rows[0]?.expired).toEqual([false, true])
})

test('a date that no claim writes is that of an expired lease: nobody would ever end the row', async () => {
  await running(1, null)
  await running(2, ago('-70 s'))
  await running(3, sql<Date>`timestamptz 'infinity'`)
  await running(4, sql<Date>`timestamptz '-infinity'`)
  await running(5, ago('-50 s')) // the clock of a server that took over may be behind
  expect(await users(isLeaseExpired('60s'))).toEqual([1, 2, 3, 4].map((user_id) => ({ user_id })))
})

test('only running jobs have a lease', async () => {
  await db
    .insertInto('mail_jobs')
    .values({ user_id: 2, locked_at: ago('1 day'), locked_by: someone })
    .execute()
  expect(await users(isLeaseExpired('1s'))).toEqual([])
})

test('a lease of no length is refused before anything is sent', () => {
  for (const wrong of [-1, Number.NaN, 'soon' as never]) expect(() => isLeaseExpired(wrong)).toThrow(DurationError)
})

test('a lease is held by its worker, by its attempt, on its row, and by no one else', async () => {
  const id = await running(1, ago('0 s'), someone, 3)
  const other = await running(2, ago('0 s'), another, 3)
  expect(await users(holdsLease({ worker: someone, attempt: 3, ids: [id, other] }))).toEqual([{ user_id: 1 }])
  expect(await users(holdsLease({ worker: someone, attempt: 2, ids: [id] }))).toEqual([])
  expect(await users(holdsLease({ worker: another, attempt: 3, ids: [id] }))).toEqual([])
  expect(await users(holdsLease({ worker: someone, attempt: 3, ids: [] }))).toEqual([])
})

test('the fence names three columns, and not the status: with it the planner leaves the primary key', () => {
  const { sql: text } = query()
    .where(holdsLease({ worker: someone, attempt: 3, ids: ['a', 'b'] }, 'mail_jobs'))
    .compile()
  expect(text).toBe(
    'select "user_id" from "mail_jobs" where ("mail_jobs"."id" = any($1) and "mail_jobs"."locked_by" = any($2) and "mail_jobs"."attempts_count" = $3)',
  )
})
