import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, deleteJobs, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, inspectJobTable, leaseOf, rescue } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { worker } from '../queue/mail-jobs.js'
import { quietPool } from '../support/database.js'
import { quiet } from '../worker/mail-jobs.js'
import { type SpreadDatabase, spreadDatabase } from './spread.js'

// What happens to the jobs of one tenant, or of one table, concerns no other.

type Tables = {
  mail_jobs: SpreadDatabase['mail_jobs']
  local_jobs: Omit<SpreadDatabase['queued_jobs'], 'tenant_id'>
  job: { note: string }
}

const { db: spread, plain, refused, url } = await spreadDatabase()
const db = spread as unknown as Kysely<Tables> // with the tables that are made below
await createJobTable(db, 'local_jobs', (table) => table.addColumn('note', 'text', (column) => column.notNull()))
const { key, home } = await inspectJobTable(db, 'mail_jobs')
const known = { worker, key, home }

beforeEach(() => plain.deleteFrom('mail_jobs').execute())

const notes = (count: number, tenants: number) =>
  Array.from({ length: count }, (_, n) => ({ tenant_id: n % tenants, note: String(n) }))

/** The table lets no row of tenant 1 be written so. */
async function refuse(condition: string) {
  await sql
    .raw(`alter table mail_jobs add constraint picky check (tenant_id <> 1 or ${condition}) not valid`)
    .execute(plain)
  onTestFinished(() => sql`alter table mail_jobs drop constraint picky`.execute(plain).then(() => {}))
}

test('leases of a tenant whose renewal is refused are an error, and those of the others are renewed', async () => {
  await enqueue(db, 'mail_jobs', notes(3, 3))
  const jobs = await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })
  await plain
    .updateTable('mail_jobs')
    .set({ locked_at: new Date(1_000_000) })
    .execute()
  await refuse(`locked_at < '2000-01-01'`)
  await expect(heartbeat(db, 'mail_jobs', jobs.map(leaseOf), known)).rejects.toThrow('picky')
  const renewed = await plain
    .selectFrom('mail_jobs')
    .select('tenant_id')
    .where('locked_at', '>', new Date(2_000_000))
    .execute()
  expect(renewed.map(({ tenant_id }) => tenant_id).sort()).toEqual([0, 2])
})

test('where what a dead worker left of a tenant can not be taken from it, that of the others is', async () => {
  await enqueue(db, 'mail_jobs', notes(3, 3))
  await fetchNextJobs(db, 'mail_jobs', { ...known, limit: 10 })
  await plain
    .updateTable('mail_jobs')
    .set({ locked_at: new Date(1_000_000), updated_at: sql`now() + tenant_id * interval '1 s'` })
    .execute()
  await refuse(`status <> 'job_status_retry'`)
  const rescued = await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 10, key, home })
  expect(rescued).toHaveLength(2)
  const left = await plain
    .selectFrom('mail_jobs')
    .select('tenant_id')
    .where('status', '=', 'job_status_running')
    .execute()
  expect(left).toEqual([{ tenant_id: 1 }])
})

test('workers that share a small pool write their outcomes, though all of them do at the same time', async () => {
  const pool = quietPool({ connectionString: url, max: 3 })
  const shared = new Kysely<SpreadDatabase>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => void shared.destroy().catch(() => {}))
  await enqueue(db, 'mail_jobs', notes(120, 8))
  const gate = Promise.withResolvers<void>()
  let [begun, ended] = [0, 0]
  const handler = async () => {
    begun++
    await gate.promise
  }
  for (const _ of [1, 2, 3]) {
    const one = createWorker(shared, 'mail_jobs', handler, { concurrency: 40, pollInterval: '50ms', logger: quiet })
    one.on('succeeded', () => void ended++)
    onTestFinished(() => one.stop({ deadline: 0 }).then(() => {}))
    await one.start()
  }
  await expect.poll(() => begun, { timeout: 20_000 }).toBe(120)
  gate.resolve()
  await expect.poll(() => ended, { timeout: 20_000 }).toBe(120)
})

test('a process that works a distributed table and a local one finds the jobs of both', async () => {
  const ran: string[] = []
  const errors: string[] = []
  const handler = async ({ note }: { note: string }) => void ran.push(note)
  for (const table of ['mail_jobs', 'local_jobs'] as const) {
    const one = createWorker(db, table, handler, { pollInterval: '50ms', logger: quiet })
    one.on('error', ({ error, doing }) => errors.push(`${table}: ${doing}: ${error}`))
    onTestFinished(() => one.stop({ deadline: 0 }).then(() => {}))
    await one.start()
    await new Promise((resolve) => one.once('idle', () => resolve(undefined)))
  }
  await enqueue(db, 'mail_jobs', { tenant_id: 1, note: 'distributed' })
  await enqueue(db, 'local_jobs', { note: 'local' })
  await expect.poll(() => ran.toSorted(), { timeout: 20_000 }).toEqual(['distributed', 'local'])
  expect(errors).toEqual([])
  expect(refused).toEqual([])
})

test('a table of the user’s that is called as a job is in conditions is none of the jobs', async () => {
  await sql`create table job (note text not null)`.execute(plain)
  onTestFinished(() => sql`drop table job`.execute(plain).then(() => {}))
  await db.insertInto('job').values({ note: '1' }).execute()
  await enqueue(db, 'mail_jobs', notes(3, 3))
  const noted = db.selectFrom('job').select('note')
  expect(await deleteJobs(db, 'mail_jobs', { where: (job) => job('note', 'in', noted) })).toHaveLength(1)
  expect(refused).toEqual([])
})

test('the first unique job that a transaction enqueues waits for no other transaction', async () => {
  const unique = { unique: ['tenant_id', 'note'] } as const
  const pool = quietPool({ connectionString: url, max: 3 })
  const fresh = new Kysely<SpreadDatabase>({ dialect: new PostgresDialect({ pool }) }) // which has not seen the table
  onTestFinished(() => void fresh.destroy().catch(() => {}))
  const [locked, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = plain.transaction().execute(async (trx) => {
    await sql`lock table local_jobs`.execute(trx)
    locked.resolve()
    await second.promise
  })
  await locked.promise
  const first = fresh.transaction().execute(async (trx) => {
    const behind = sql`lock table local_jobs`.execute(trx)
    await Promise.all([behind, enqueue(trx, 'mail_jobs', { tenant_id: 1, note: 'a' }, unique)])
  })
  const waiting = sql<{
    n: number
  }>`select count(*)::int as n from pg_locks where not granted and relation = 'local_jobs'::regclass`
  await expect.poll(async () => (await waiting.execute(plain)).rows[0]?.n).toBe(1)
  await fresh.transaction().execute((trx) => enqueue(trx, 'mail_jobs', { tenant_id: 1, note: 'b' }, unique))
  second.resolve()
  await Promise.all([holding, first])
  expect(await plain.selectFrom('mail_jobs').select('note').orderBy('note').execute()).toEqual([
    { note: 'a' },
    { note: 'b' },
  ])
})
