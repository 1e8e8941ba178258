import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { PassedOver } from '../../src/worker/passed-over.js'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

type MailHandler = Parameters<typeof createWorker<MailDatabase, 'mail_jobs'>>[2]

interface Told {
  readonly error: Error
  readonly doing: string
}

function worker(handler: MailHandler, options: object = {}, through = db) {
  const made = createWorker(through, 'mail_jobs', handler, {
    ...{ logger: quiet, lease: '1s', pollInterval: '20ms', ...options },
  })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

/** As migrations add them to big tables: rows that are there may violate it, and can't be written any more. */
async function forbidBad(): Promise<void> {
  await sql`alter table mail_jobs add constraint picky check ("to" <> 'bad') not valid`.execute(db)
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(db).then(() => {}))
}

const row = (to: string) => db.selectFrom('mail_jobs').selectAll().where('to', '=', to).executeTakeFirstOrThrow()

test.each([1, 4])(
  'rows whose claim is refused keep none beside and behind them from being done, and are told once each (concurrency %s)',
  async (concurrency) => {
    await sql`insert into mail_jobs ("to", run_at)
      select case when n in (1, 2, 17, 40) then 'bad' else 'good' end, now() - interval '1 hour' + n * interval '1 second'
      from generate_series(1, 40) as n`.execute(db)
    await forbidBad()
    const made = worker(() => {}, { concurrency, lease: '1m' })
    const told: string[] = []
    made.on('error', ({ error, doing }) => told.push(`${doing}: ${(error as Error).message}`))
    let succeeded = 0
    made.on('succeeded', () => {
      succeeded += 1
    })
    const idle = next(made, 'idle', () => succeeded === 36)
    await made.start()
    await idle
    const bad = await db.selectFrom('mail_jobs').selectAll().where('to', '=', 'bad').orderBy('run_at').execute()
    expect(bad.map(({ attempts_count, status }) => [attempts_count, status])).toEqual(
      Array(4).fill([0, 'job_status_not_started']),
    )
    expect(told).toEqual(
      bad.map(({ id }) => expect.stringMatching(`claiming job ${id}, which is passed over for 300 s: .*"picky"`)),
    )
    expect(made.health().alive).toBe(true)
  },
)

test('a row that was passed over comes to its turn again', async () => {
  const passed = new PassedOver(1)
  passed.add([{ id: 1 }])
  expect(passed.rows).toMatchObject([{ id: 1 }])
  await expect.poll(() => passed.rows).toEqual([])
})

test('a fetch that runs into a lock of the whole table blames no row of it', async () => {
  const impatient = new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url, options: '-c lock_timeout=50ms' }) }),
  })
  await enqueue(db, 'mail_jobs', [{ to: 'a' }, { to: 'b' }])
  const made = worker(() => {}, {}, impatient)
  let succeeded = 0
  const all = next(made, 'succeeded', () => ++succeeded === 2)
  const told = next<Told>(made, 'error', ({ doing }) => doing === 'fetching jobs')
  await db.transaction().execute(async (trx) => {
    await sql`lock table mail_jobs in share mode`.execute(trx) // as create index does
    await made.start()
    expect((await told).error).toMatchObject({ code: '55P03' })
  })
  await all
})

test('a row whose renewal is refused keeps no other from being renewed, and its handler is told in time', async () => {
  await enqueue(
    db,
    'mail_jobs',
    ['good', 'bad', 'fine'].map((to) => ({ to })),
  )
  const held = Promise.withResolvers<void>()
  const aborted: string[] = []
  const made = worker(({ to }, { signal }) => {
    const told = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => {
      aborted.push(to)
      told.resolve()
    })
    return Promise.race([held.promise, told.promise])
  })
  const claimed = next(made, 'claimed')
  const lost = next<{ job: { to: string } }>(made, 'lost')
  await made.start()
  await claimed
  await forbidBad()
  expect((await lost).job.to).toBe('bad')
  let succeeded = 0
  const others = next(made, 'succeeded', () => ++succeeded === 2)
  held.resolve()
  await others
  expect(aborted).toEqual(['bad'])
  for (const to of ['good', 'fine']) {
    expect(await row(to)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
  }
})

test('a row whose rescue is refused keeps no other from being rescued', async () => {
  await sql`insert into mail_jobs ("to", status, locked_by, locked_at, attempts_count)
    select case n when 3 then 'bad' else 'good' end, 'job_status_running', gen_random_uuid(), now() - interval '1 hour', 1
    from generate_series(1, 8) as n`.execute(db)
  await forbidBad()
  const made = worker(() => {})
  let succeeded = 0
  const others = next(made, 'succeeded', () => ++succeeded === 7)
  const told = next<Told>(made, 'error', ({ doing }) => doing.startsWith('rescuing 1 jobs of workers that are gone ('))
  await made.start()
  expect((await told).error.message).toContain('"picky"')
  await others
  expect(await row('bad')).toMatchObject({ status: 'job_status_running', attempts_count: 1 })
})

test.each([10, () => 10])(
  'hundreds of rows whose rescue is refused, or that are locked, keep none behind them from being rescued, and are rescued once they are free (%s)',
  async (maxAttempts) => {
    // in the order of the running index
    await sql`insert into mail_jobs ("to", status, locked_by, locked_at, attempts_count)
    select case when n <= 60 then 'bad' when n <= 120 then 'locked' else 'good' end, 'job_status_running',
      ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, now() - interval '1 hour', 1
    from generate_series(1, 170) as n`.execute(db)
    await forbidBad()
    const locker = await db.startTransaction().execute()
    await locker.selectFrom('mail_jobs').select('id').where('to', '=', 'locked').forUpdate().execute()
    onTestFinished(() => (locker.isRolledBack ? undefined : locker.rollback().execute()))
    const made = worker(() => {}, { maxAttempts, lease: '10m' })
    let succeeded = 0
    made.on('succeeded', () => {
      succeeded += 1
    })
    const others = next(made, 'succeeded', () => succeeded === 50)
    let told = 0
    made.on('error', ({ doing }) => {
      if (doing.includes('which are passed over for 3000 s')) told += 1
    })
    await made.start()
    await others
    const rest = await db.selectFrom('mail_jobs').select('to').where('status', '=', 'job_status_running').execute()
    expect(rest).toHaveLength(120)
    const free = next(made, 'succeeded', () => succeeded === 110)
    await locker.rollback().execute()
    await free
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(4)
  },
)

test('a trigger that fails for one row, by an error that would be of the whole table, holds up no other outcome', async () => {
  await sql`create function audit() returns trigger language plpgsql as $$ begin
    insert into forgotten values (1); return new; end $$`.execute(db)
  await sql`create trigger audit before update on mail_jobs for each row
    when (new.status = 'job_status_succeeded' and new."to" = 'bad') execute function audit()`.execute(db)
  onTestFinished(() => sql`drop function audit cascade`.execute(db).then(() => {}))
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'b', 'bad', 'c'].map((to) => ({ to })),
  )
  const made = worker(() => {})
  let succeeded = 0
  const others = next(made, 'succeeded', () => ++succeeded === 3)
  const retry = next<{ error: string }>(made, 'retry')
  await made.start()
  await others
  expect((await retry).error).toMatch(/its success was refused for 1000 ms\ncaused by .*"forgotten" does not exist/)
})

test('outcomes that fail slowly are not taken apart for longer than their leases live', async () => {
  const impatient = new Kysely<MailDatabase>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url, options: '-c lock_timeout=100ms' }) }),
  })
  const jobs = await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 60 }, (_, n) => ({ to: `${n}` })),
  )
  const go = Promise.withResolvers<void>()
  const made = worker(() => go.promise, { concurrency: jobs.length }, impatient)
  let tries = 0
  made.on('error', ({ doing }) => {
    if (doing.startsWith('writing')) tries += 1
  })
  let lost = 0
  const all = next(made, 'lost', () => ++lost === jobs.length)
  await made.start()
  await expect.poll(() => made.health().running).toBe(jobs.length)
  await db.transaction().execute(async (trx) => {
    await sql`lock table mail_jobs in access exclusive mode`.execute(trx)
    go.resolve()
    await all
  })
  expect(tries).toBeLessThan(jobs.length / 2)
})
