import { CamelCasePlugin, type Expression, type Kysely, type SqlBool, sql } from 'kysely'
import { type ClaimOptions, createBatchWorker, createWorker, enqueue, type WorkerOptions } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db, pool } = await testDatabase(async (db) => {
  await db.schema.createTable('users').addColumn('id', 'integer').addColumn('is_paying', 'boolean').execute()
  await createJobTable(
    db,
    'mail_jobs',
    (table) => table.addColumn('region', 'text').addColumn('user_id', 'integer').addColumn('to', 'text'),
    { columns: ['priority'] },
  )
  await createJobTable(db, 'plain_jobs', (table) => table.addColumn('region', 'text').addColumn('the size', 'integer'))
  await createJobTable(db, 'job', (table) => table.addColumn('region', 'text'))
})

beforeEach(async () => {
  await sql`truncate mail_jobs, plain_jobs, job, users`.execute(db)
})

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A worker that has started, and what it was given, by one column. */
async function working(
  where: ClaimOptions<any, any>['where'],
  {
    table = 'plain_jobs',
    column = 'region',
    handle = db,
    ...options
  }: WorkerOptions<any> & { table?: string; column?: string; handle?: Kysely<any> } = {},
) {
  const handled: unknown[] = []
  const worker = createWorker(handle, table, (job) => void handled.push(Reflect.get(job, column)), {
    ...{ where, logger: quiet, pollInterval: '50ms' },
    ...options,
  })
  const errors: unknown[] = []
  const idle = new Promise((resolve) => worker.once('idle', resolve))
  worker.on('error', ({ error }) => errors.push(error))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  return { worker, handled, errors, idle }
}

test.each(['mail_jobs', 'plain_jobs'])('workers take their own jobs each, and no other: %s', async (table) => {
  const regions = Array.from({ length: 60 }, (_, n) => ({ region: ['eu', 'us', 'asia'][n % 3] }))
  await enqueue(db, table, regions)
  const eu = await working((eb) => eb('region', '=', 'eu'), { table })
  const us = await working((eb) => eb('job.region', '=', 'us'), { table })
  await expect.poll(() => [eu.handled.length, us.handled.length]).toEqual([20, 20])
  await enqueue(db, table, regions)
  await expect.poll(() => [eu.handled.length, us.handled.length]).toEqual([40, 40])
  expect([new Set(eu.handled), new Set(us.handled)]).toEqual([new Set(['eu']), new Set(['us'])])
  const { rows } =
    await sql`select region, count(*)::int from ${sql.table(table)} where status = 'job_status_not_started' group by 1`.execute(
      db,
    )
  expect(rows).toEqual([{ region: 'asia', count: 40 }])
})

test('one that has nothing to do is idle, whatever waits for others, and hears of its own', async () => {
  await enqueue(db, 'plain_jobs', { region: 'us' })
  const listening = { listen: pool, pollInterval: '1m' as const }
  const { worker, handled, idle } = await working((eb) => eb('region', '=', 'eu'), listening)
  await idle
  await expect.poll(() => worker.health().listener).toBe('listening')
  await enqueue(db, 'plain_jobs', { region: 'eu' })
  await expect.poll(() => handled).toEqual(['eu'])
})

test('a condition of joins, json, arrays and raw text', async () => {
  await sql`insert into users values (1, true), (2, false)`.execute(db)
  await enqueue(db, 'mail_jobs', [
    { region: 'eu', user_id: 1, to: '{"a": "x"}' },
    { region: 'us', user_id: 1, to: '{"a": "y"}' },
    { region: 'eu', user_id: 2, to: '{"a": "x"}' },
    { region: "o'hara\\", user_id: 3, to: '{"a": "x"}' },
  ])
  const takes = async (where: ClaimOptions<any, any>['where']) => {
    const { worker, handled, idle } = await working(where, { table: 'mail_jobs', column: 'user_id' })
    await idle
    await worker.stop()
    await db.updateTable('mail_jobs').set({ status: 'job_status_not_started' }).execute()
    return handled.toSorted()
  }
  const paying = (eb: any): Expression<SqlBool> =>
    eb.exists(
      eb.selectFrom('users').select('users.id').whereRef('users.id', '=', 'job.user_id').where('is_paying', '=', true),
    )
  expect(await takes(paying)).toEqual([1, 1])
  expect(await takes((eb) => eb('region', 'in', ['eu', "o'hara\\"]))).toEqual([1, 2, 3])
  expect(await takes((eb) => eb('user_id', 'in', [2, 3]))).toEqual([2, 3])
  expect(await takes(() => sql<boolean>`(job."to"::jsonb ->> 'a') = ${'x'} and user_id > ${1}`)).toEqual([2, 3])
  expect(await takes((eb) => eb.or([eb('region', '=', "o'hara\\"), eb('region', '=', 'us')]))).toEqual([1, 3])
  expect(await takes((eb) => eb('created_at', '>', new Date(0)))).toEqual([1, 1, 2, 3])
})

test('the user’s plugins have their say, and a table may be called job', async () => {
  await enqueue(db, 'mail_jobs', [{ user_id: 1 }, { user_id: 2 }])
  const handle = db.withPlugin(new CamelCasePlugin())
  const { handled } = await working((eb) => eb('userId', '=', 2), { handle, table: 'mailJobs', column: 'userId' })
  await expect.poll(() => handled).toEqual([2])
  await enqueue(db, 'job', [{ region: 'eu' }, { region: 'us' }])
  const ofJob = await working((eb) => eb('job.region', '=', 'us'), { table: 'job' })
  const inSchema = await working((eb) => eb('job.region', '=', 'eu'), {
    table: 'plain_jobs',
    handle: db.withSchema('public'),
  })
  await enqueue(db, 'plain_jobs', [{ region: 'eu' }, { region: 'us' }])
  await expect.poll(() => [ofJob.handled, inSchema.handled]).toEqual([['us'], ['eu']])
  expect([...ofJob.errors, ...inSchema.errors]).toEqual([])
})

test('with transactions that hold jobs, and in batches', async () => {
  const regions = Array.from({ length: 200 }, (_, n) => ({ region: n % 2 ? 'eu' : 'us' }))
  await enqueue(db, 'plain_jobs', regions)
  const { handled } = await working((eb) => eb('region', '=', 'eu'), { hold: 'transaction' })
  const batches: string[] = []
  const batch = createBatchWorker(db, 'plain_jobs', (jobs) => void batches.push(...jobs.map(({ region }) => region)), {
    ...{ size: 10, where: (eb: any) => eb('region', '=', 'us'), logger: quiet, pollInterval: '50ms' as const },
  })
  onTestFinished(() => batch.stop({ deadline: 0 }).then(() => {}))
  await batch.start()
  await expect.poll(() => [handled.length, batches.length]).toEqual([100, 100])
  expect([new Set(handled), new Set(batches)]).toEqual([new Set(['eu']), new Set(['us'])])
})

test('what is wrong is refused: when the worker is created, or when it starts', async () => {
  const create = (where: unknown) => () => createWorker(db, 'plain_jobs', () => {}, { where: where as never })
  expect(create({ region: 'eu' })).toThrow(
    `where: an object is invalid; give a function that returns a condition, as in (eb) => eb('region', '=', 'eu')`,
  )
  expect(create(() => undefined)).toThrow(`where: the function gave undefined; let it return a condition`)
  expect(
    create(() => {
      throw new Error('on purpose')
    }),
  ).toThrow('where: the function threw Error: on purpose')
  const start = (where: (eb: any) => Expression<SqlBool>) =>
    createWorker(db, 'plain_jobs', () => {}, { where, logger: quiet }).start()
  await expect(start((eb) => eb('regoin', '=', 'eu'))).rejects.toThrow(
    'where: Postgres refuses the condition: column "regoin" does not exist',
  )
  await expect(start((eb) => eb('the size', '=', 'eu'))).rejects.toThrow(
    'where: Postgres refuses the condition: invalid input syntax for type integer: "eu"',
  )
})

test('a starting worker says which index its condition wants, until there is one', async () => {
  const advised = async (table: string, where: ClaimOptions<any, any>['where']) => {
    const lines: string[] = []
    const logger = { ...quiet, info: (_facts: object, text: string) => void lines.push(text) }
    const { worker } = await working(where, { table, logger })
    await worker.stop()
    return lines.filter((line) => line.includes('where:'))
  }
  const isEuropean = (eb: any) => eb.and([eb('job.region', '=', 'eu'), eb('the size', '>', 5)])
  const [wanted] = await advised('plain_jobs', isEuropean)
  expect(wanted).toBe(
    `plain_jobs: where: each look for jobs reads those of other workers as well, as no index of "public"."plain_jobs" has the condition; in a migration, outside of a transaction, this makes one: create index concurrently on "public"."plain_jobs" (run_at) where "status" in ('job_status_not_started', 'job_status_retry') and (("region" = 'eu' and "the size" > 5))`,
  )
  await sql.raw(wanted?.split('makes one: ')[1] ?? '').execute(db)
  expect(await advised('plain_jobs', isEuropean)).toEqual([])
  const { advice } = await inspectJobTable(db, 'plain_jobs', { where: (eb) => eb('region', '=', 'us') })
  expect(advice).toEqual([
    expect.stringContaining(
      "where \"status\" in ('job_status_not_started', 'job_status_retry') and (\"region\" = 'us')",
    ),
  ])
  const [byPriority] = await advised('mail_jobs', (eb) => eb('region', '=', 'eu'))
  for (const statement of byPriority?.split('makes them: ')[1]?.split('; ') ?? []) await sql.raw(statement).execute(db)
  expect(await advised('mail_jobs', (eb) => eb('region', '=', 'eu'))).toEqual([])
  const [bySelect] = await advised('plain_jobs', (eb) => eb.exists(eb.selectFrom('users').select('users.id')))
  expect(bySelect).toContain('one that begins with the columns that it compares helps')
})

test('raw text with an or, and numbers below zero, are of the condition alone', async () => {
  await enqueue(db, 'mail_jobs', [
    { region: 'eu', user_id: -5 },
    { region: 'us', user_id: 5 },
  ])
  const { handled, idle } = await working(() => sql<boolean>`job.region = 'eu' or job.user_id - ${-5} = 10`, {
    table: 'mail_jobs',
  })
  await idle
  expect(handled.toSorted()).toEqual(['eu', 'us'])
})
