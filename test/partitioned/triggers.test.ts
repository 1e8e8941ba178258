import { type Kysely, sql } from 'kysely'
import { createWorker, enqueue, rescheduleJobs } from 'kysely-jobs'
import { createJobTriggers, dropJobTriggers } from 'kysely-jobs/migrate'
import { fetchNextJobs, inspectJobTable, leaseOf, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { allShapes, createPartitioned, type Shape } from './shapes.js'

// what a session says of dates, zones and digits must not decide what is told
const { db, url } = await testDatabase((handle) => createAll(handle), {
  pool: { options: '-c TimeZone=Asia/Kolkata -c DateStyle=SQL,DMY -c extra_float_digits=0' },
})
async function createAll(handle: Kysely<any>): Promise<void> {
  for (const shape of allShapes) await createPartitioned(handle, shape)
}

const listener = new pg.Client({ connectionString: url })
await listener.connect()
afterAll(() => listener.end())
const heard: string[] = []
listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`))
for (const shape of allShapes) await listener.query(`listen job_available_${shape}`)
await listener.query('listen said_last')

/** What workers are told by what is done: it has arrived when a notification of our own has, as they come in order. */
async function told(statement: () => Promise<unknown>): Promise<string[]> {
  heard.length = 0
  await statement()
  const arrived = new Promise<void>((resolve) => {
    const last = ({ channel }: pg.Notification) => {
      if (channel !== 'said_last') return
      listener.off('notification', last)
      resolve()
    }
    listener.on('notification', last)
  })
  await sql`select pg_notify('said_last', '')`.execute(db)
  await arrived
  return heard.filter((each) => each !== 'said_last ')
}

const run = (statement: string) => () => sql.raw(statement).execute(db)
const dueNow = (shape: Shape) => [`job_available_${shape} 0`]

/** A partition of each that holds a job of now, of any tenant but ann. */
const partitions: Partial<Record<Shape, string>> = {
  by_day: 'by_day_new',
  by_time: 'by_time_soon',
  by_both: 'by_both_new',
}

beforeEach(async () => {
  for (const shape of allShapes) await db.deleteFrom(shape).execute()
})

describe.each(allShapes)('%s', (shape) => {
  test('an insert is told once, whatever the number of its rows and of their partitions', async () => {
    const rows = Array.from({ length: 50 }, (_, n) => ({ tenant: n % 2 ? 'ann' : `t${n}` }))
    expect(await told(() => enqueue(db, shape, rows))).toEqual(dueNow(shape))
    expect(await told(() => enqueue(db, shape, { tenant: 'ann' }))).toEqual(dueNow(shape))
  })

  test.each(['1', '-1'])(
    'of scheduled jobs the earliest is told, alone, in whichever order they come (%s)',
    async (order) => {
      const [one, ...others] = await told(
        run(`insert into ${shape} (run_at) select now() + interval '1 hour' + interval '1 second' * n
        from generate_series(0, 200) n order by n * ${order}`),
      )
      expect(others).toEqual([])
      const wait = Number(one?.replace(`job_available_${shape} `, ''))
      expect(wait).toBeGreaterThan(3_500_000)
      expect(wait).toBeLessThanOrEqual(3_600_000)
    },
  )

  test('each statement of a transaction is told by itself; what a savepoint takes back is not told', async () => {
    const insert = (at: string) => `insert into ${shape} (run_at) values (${at})`
    const twice = async () =>
      db.transaction().execute(async (trx) => {
        for (const at of [`now() + '1 hour'`, `now() + '3 hours'`]) await sql.raw(insert(at)).execute(trx)
      })
    expect(await told(twice)).toHaveLength(2)
    const undone = async () =>
      db.transaction().execute(async (trx) => {
        for (const statement of ['savepoint a', insert('now()'), 'rollback to a', insert(`now() + '2 hours'`)])
          await sql.raw(statement).execute(trx)
      })
    expect(await told(undone)).toEqual([expect.stringMatching(/ 7[12]\d{5}$/)])
  })

  test('what is not due at any time, locked, or over is not told', async () => {
    expect(await told(run(`insert into ${shape} (run_at) values ('infinity')`))).toEqual([])
    expect(await told(run(`insert into ${shape} (status) values ('job_status_succeeded')`))).toEqual([])
    const locked = `insert into ${shape} (locked_by, locked_at) values (gen_random_uuid(), now())`
    expect(await told(run(locked))).toEqual([])
    expect(await told(run(`insert into ${shape} (run_at) values ('-infinity')`))).toEqual(dueNow(shape))
  })

  test('a claim and a success are not told; a retry and an earlier date are', async () => {
    await enqueue(db, shape, {})
    const { key } = await inspectJobTable(db, shape)
    const worker = crypto.randomUUID()
    const claim = async () => leaseOf((await fetchNextJobs(db, shape, { worker, limit: 1, key }))[0] as object)
    const lease = await claim()
    const later = { ...lease, kind: 'retry', delay: 1.4e13, error: 'no' } as const // beyond 2400, in another partition
    expect(await told(() => settle(db, shape, [{ ...later, delay: 0 }], { worker, key }))).toEqual(dueNow(shape))
    const again = await claim()
    expect(await told(() => settle(db, shape, [{ ...later, ...again }], { worker, key }))).not.toEqual(dueNow(shape))
    const all = { where: (eb: any) => eb.lit(true) }
    expect(await told(() => rescheduleJobs(db, shape, all, { to: new Date() }))).toEqual(dueNow(shape))
    const success = async () => {
      await settle(db, shape, [{ ...(await claim()), kind: 'succeeded' }], { worker, key })
    }
    expect(await told(success)).toEqual([])
    expect(await db.selectFrom(shape).where('status', '=', 'job_status_succeeded').execute()).toHaveLength(1)
  })

  test('a worker that listens begins what was inserted straight into a partition', async () => {
    const done: string[] = []
    const worker = createWorker(db, shape, (job) => void done.push(job.note), {
      listen: url,
      pollInterval: '1h',
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    })
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const listening = new Promise<void>((resolve) => {
      worker.on('listener', ({ state }) => state === 'listening' && resolve())
    })
    const idle = new Promise((resolve) => worker.once('idle', resolve))
    await worker.start()
    await Promise.all([listening, idle])
    const succeeded = new Promise((resolve) => worker.once('succeeded', resolve))
    await insertStraight(shape, 'straight')
    await succeeded
    expect(done).toEqual(['straight'])
  })
})

/** Into whichever partition is for it. */
async function insertStraight(shape: Shape, note: string): Promise<void> {
  const known = partitions[shape]
  if (known !== undefined) return void (await db.insertInto(known).values({ note }).execute())
  const row = await enqueue(db, shape, { note, run_at: 'infinity' as never })
  const { rows } = await sql<{ partition: string }>`
    delete from ${sql.table(shape)} where id = ${row.id} returning tableoid::regclass::text as partition`.execute(db)
  await db
    .insertInto(rows[0]?.partition ?? '')
    .values({ id: row.id, note })
    .execute()
}

/** COPY from this program. */
async function copy(into: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const query = new pg.Query(`copy ${into} from stdin`)
  const done = new Promise<void>((resolve, reject) => query.on('end', () => resolve()).on('error', reject))
  const handleCopyInResponse = (connection: any) => {
    connection.sendCopyFromChunk(Buffer.from(text))
    connection.endCopyFrom()
  }
  client.query(Object.assign(query, { handleCopyInResponse }))
  await done.finally(() => client.end())
}

test('later partitions tell as well, those that are made and those that are attached, COPY and all', async () => {
  await sql`create table by_both_bob partition of by_both for values in ('bob')`.execute(db)
  expect(await told(run(`insert into by_both_bob (tenant) values ('bob')`))).toEqual(dueNow('by_both'))
  await sql`create table by_both_eve (like by_both including all)`.execute(db)
  await sql`alter table by_both attach partition by_both_eve for values in ('eve')`.execute(db)
  expect(await told(run(`insert into by_both_eve (id, tenant) values (8, 'eve')`))).toEqual(dueNow('by_both'))
  expect(await told(() => copy('by_both_eve (id, tenant)', '9\teve\n10\teve\n'))).toEqual(dueNow('by_both'))
})

test('triggers of statements, as they were made before, are replaced; making ours twice changes nothing', async () => {
  await dropJobTriggers(db, 'by_day')
  await sql`create function notify_job_queued_by_day() returns trigger language plpgsql as 'begin return null; end';
    create trigger did_insert_job_by_day after insert on by_day referencing new table as new_rows
      for each statement execute function notify_job_queued_by_day();
    create trigger did_insert_job_by_day after insert on by_day_old referencing new table as new_rows
      for each statement execute function notify_job_queued_by_day()`.execute(db)
  for (let times = 0; times < 2; times++) await createJobTriggers(db, 'by_day')
  expect(await told(run(`insert into by_day (created_at) values ('2020-01-01'), (now())`))).toEqual(dueNow('by_day'))
  expect(await told(run(`insert into by_day_old (created_at) values ('2020-01-01')`))).toEqual(dueNow('by_day'))
})

test('dropped they are gone from all partitions, with their function', async () => {
  await dropJobTriggers(db, 'by_day')
  const { rows } = await sql`
    select tgname as name from pg_trigger where tgname like '%job_by_day' union all
    select proname from pg_proc where proname = 'notify_job_queued_by_day'`.execute(db)
  expect(rows).toEqual([])
  expect(await told(run(`insert into by_day_new (note) values ('x')`))).toEqual([])
  await createJobTriggers(db, 'by_day')
})
