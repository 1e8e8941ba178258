import { sql } from 'kysely'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { jobsOf } from '../../src/schema/job-database.js'
import { settingsOf } from '../../src/worker/options.js'
import { Attempt, type Holder } from '../../src/worker/run/attempt.js'
import type { WorkerScope } from '../../src/worker/scope.js'
import { unwrittenOutcomes } from '../../src/worker/settle/unwritten.js'
import { testDatabase } from '../support/database.js'
import { ended, holder } from './holding.js'
import { createMailTables, type MailDatabase, next } from './mail-jobs.js'

// What else goes on in the database while jobs are held: triggers, constraints, locks, migrations, other workers.

const { db } = await testDatabase<MailDatabase>(createMailTables)
const { holding, enqueueHeld } = holder(db)

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('sent').execute()
})

const rows = () => db.selectFrom('mail_jobs').selectAll().where('to', '!=', 'warm').orderBy('to').execute()
const succeeded = { status: 'job_status_succeeded', attempts_count: 1, locked_by: null }

/** A trigger, until the end of the test: `timing` as in `before update`. */
async function trigger(timing: string, body: string): Promise<void> {
  const isDeferred = timing.startsWith('deferred')
  const made = isDeferred ? 'constraint trigger act after update' : `trigger act ${timing}`
  await sql.raw(`create function act() returns trigger language plpgsql as $$ begin ${body} end $$`).execute(db)
  await sql
    .raw(`create ${made} on mail_jobs ${isDeferred ? 'initially deferred' : ''} for each row execute function act()`)
    .execute(db)
  onTestFinished(() => sql`drop function act cascade`.execute(db).then(() => {}))
}

test('a handler that has locked what a trigger of the jobs writes to completes its job: neither waits for the other', async () => {
  await sql`create table progress as select 0 as done`.execute(db)
  onTestFinished(() => sql`drop table progress`.execute(db).then(() => {}))
  await trigger(
    'after update',
    `if new.status = 'job_status_succeeded' and new."to" <> 'warm' then update progress set done = done + 1; end if; return null;`,
  )
  const runs: string[] = []
  const { worker } = await holding(async ({ to }, { complete }) => {
    runs.push(to)
    if (to !== 'completes') return
    await db.transaction().execute(async (trx) => {
      await sql`update progress set done = done + 100`.execute(trx)
      await complete(trx)
    })
  })
  const names = ['before', 'completes', 'later']
  const done = names.map((to) => ended(worker, to))
  await enqueueHeld(...names)
  await Promise.all(done)
  expect(runs.toSorted()).toEqual(names)
  expect(await rows()).toMatchObject([succeeded, succeeded, succeeded])
  expect((await sql`select done from progress`.execute(db)).rows).toEqual([{ done: 103 }])
})

test('a constraint that is deferred refuses its own job, and no other has to run again', async () => {
  await trigger(
    'deferred',
    `if new."to" = 'bad' and new.status = 'job_status_succeeded' then raise exception 'no'; end if; return null;`,
  )
  const runs: string[] = []
  const { worker } = await holding(({ to }) => void runs.push(to), { lease: '3s', holdFor: '1s', maxAttempts: 1 })
  const names = ['a', 'c', 'd']
  const done = [...names.map((to) => ended(worker, to)), ended(worker, 'bad', 'failed')]
  await enqueueHeld('bad', ...names)
  await Promise.all(done)
  expect(runs.toSorted()).toEqual(['a', 'bad', 'c', 'd'])
  expect((await rows()).map(({ to, status }) => [to, status])).toEqual([
    ['a', 'job_status_succeeded'],
    ['bad', 'job_status_failed'],
    ['c', 'job_status_succeeded'],
    ['d', 'job_status_succeeded'],
  ])
})

test('a job whose row a trigger lets nobody write to does not run again and again', async () => {
  await trigger('before update', `if new."to" = 'frozen' then return null; end if; return new;`)
  const runs: string[] = []
  const { worker } = await holding(({ to }) => void runs.push(to))
  const lost = ended(worker, 'frozen', 'lost')
  await enqueueHeld('frozen')
  await lost
  for (const to of ['first', 'second', 'third']) {
    const done = ended(worker, to)
    await enqueueHeld(to)
    await done
  }
  expect(runs).toEqual(['frozen', 'first', 'second', 'third'])
})

test('a commit that takes long costs no job its attempt', async () => {
  await trigger(
    'deferred',
    `if new."to" = 'slow' and new.status = 'job_status_succeeded' then perform pg_sleep(1.5); end if; return null;`,
  )
  const runs: string[] = []
  const { worker, errors } = await holding(({ to }) => void runs.push(to), { lease: '3s', holdFor: '1s' })
  const done = ['quick', 'slow'].map((to) => ended(worker, to))
  await enqueueHeld('quick', 'slow')
  await Promise.all(done)
  expect(runs).toEqual(['quick', 'slow'])
  expect(await rows()).toMatchObject([succeeded, succeeded])
  expect(errors).toEqual([])
})

test('who makes an index waits for what is held, and none of it runs again', async () => {
  const held = Promise.withResolvers<void>()
  const runs: string[] = []
  const { worker, errors } = await holding(({ to }) => {
    runs.push(to)
    return held.promise
  })
  const done = ['ada', 'bob'].map((to) => ended(worker, to))
  await enqueueHeld('ada', 'bob')
  await expect.poll(() => runs.length).toBe(2)
  const indexed = db.transaction().execute((trx) => sql`lock table mail_jobs in share mode`.execute(trx)) // as it does
  const waiting = sql<{ n: number }>`select count(*)::int as n from pg_locks where not granted and mode = 'ShareLock'
    and relation = 'mail_jobs'::regclass`
  await expect.poll(async () => (await waiting.execute(db)).rows).toEqual([{ n: 1 }])
  held.resolve()
  await Promise.all([...done, indexed])
  expect(runs.toSorted()).toEqual(['ada', 'bob'])
  expect(errors).toEqual([])
})

test('a column that is dropped while jobs are held costs none of them its run', async () => {
  await sql`alter table mail_jobs add column finished_at timestamptz`.execute(db)
  const runs: string[] = []
  const { worker } = await holding(({ to }) => void runs.push(to))
  await sql`alter table mail_jobs drop column finished_at`.execute(db)
  const done = ['ada', 'bob'].map((to) => ended(worker, to))
  await enqueueHeld('ada', 'bob')
  await Promise.all(done)
  expect(runs.toSorted()).toEqual(['ada', 'bob'])
  expect(await rows()).toMatchObject([succeeded, succeeded])
})

test('handlers whose transactions see no more than was there when they began complete held jobs with one attempt each', async () => {
  const { worker } = await holding(
    ({ id }, { attempt, hold, complete }) =>
      db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (trx) => {
          await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
          await hold(trx)
          await complete(trx)
        }),
    { concurrency: 8, holdFor: '2s' },
  )
  const names = Array.from({ length: 40 }, (_, n) => `${n}`)
  let left = names.length
  const done = next<{ job: { to: string } }>(worker, 'succeeded', ({ job }) => job.to !== 'warm' && --left === 0)
  await enqueueHeld(...names)
  await done
  expect(await rows()).toMatchObject(names.map(() => succeeded))
  expect(await db.selectFrom('sent').select('attempt').distinct().execute()).toEqual([{ attempt: 1 }])
})

test('of what a transaction held that was cut off, the success is that of whoever did it again', async () => {
  const { id } = await db
    .insertInto('mail_jobs')
    .values({ to: 'ada', status: 'job_status_succeeded', attempts_count: 1 })
    .returning('id')
    .executeTakeFirstOrThrow()
  const settings = settingsOf()
  const worker = '00000000-0000-4000-8000-000000000000'
  // the parts of a scope that are needed to look for known
  const scope = { worker, settings, finished: {}, jobs: jobsOf(db, 'mail_jobs') } as unknown as WorkerScope
  const entry = (isSent: boolean) => {
    const attempt = new Attempt({ id, attempts_count: 1, last_error: null }, performance.now())
    attempt.hold({ add: () => {}, end: async () => {} } satisfies Holder)
    attempt.hold(undefined)
    if (isSent) attempt.tried()
    return { kind: 'succeeded', id, attempt: 1, of: attempt } as const
  }
  expect([...(await unwrittenOutcomes(scope, [entry(false)]))]).toEqual([])
  const sent = entry(true) // it tried to commit, and got no answer
  expect([...(await unwrittenOutcomes(scope, [sent]))]).toEqual([[sent, sent]])
})
