import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { countJobs, createWorker, enqueue, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat } from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { createRole, handleAs, sqlOf } from './roles.js'

const table = 'invoice_jobs'
const database = await testDatabase(async (handle) => {
  await createJobTable(handle, table, (builder) => builder.addColumn('tenant', 'text', (column) => column.notNull()))
  await sql`create table billed (tenant text)`.execute(handle)
  await sql.raw(sqlOf('tenants')).execute(handle)
})
const { db } = database

const role = await createRole(database)
const above = await createRole(database, 'bypassrls')
for (const each of [role, above]) {
  await sql.raw(`grant select, insert, update, delete on ${table}, billed to ${each}`).execute(db)
}
const acme = handleAs(database, role, '-c app.tenant=acme')
const bolt = handleAs(database, role, '-c app.tenant=bolt')
const nobody = handleAs(database, role)
const everybody = handleAs(database, above)

beforeEach(async () => {
  for (const each of [table, 'billed']) await db.deleteFrom(each).execute()
})

function statuses(): Promise<{ tenant: string; status: string }[]> {
  return db.selectFrom(table).select(['tenant', 'status']).orderBy('tenant').execute()
}

/** Runs a worker until it has nothing to do, and gives the tenants it served and the errors it met. */
async function work(as: Kysely<any>, handler: (job: any, context: any) => unknown = () => undefined) {
  const served: string[] = []
  const errors: unknown[] = []
  await using worker = createWorker(
    as,
    table,
    (job, context) => {
      served.push(job.tenant)
      return handler(job, context)
    },
    { logger: quiet },
  )
  worker.on('error', ({ error }) => errors.push(error))
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  return { served: served.sort(), errors }
}

test('a tenant enqueues for itself; for another it is an error of Postgres, and nothing is inserted', async () => {
  await enqueue(acme, table, { tenant: 'acme' })
  await expect(enqueue(acme, table, [{ tenant: 'acme' }, { tenant: 'bolt' }])).rejects.toMatchObject({
    code: '42501',
    message: expect.stringContaining('row-level security'),
  })
  await expect(enqueue(nobody, table, { tenant: 'acme' })).rejects.toMatchObject({ code: '42501' })
  expect(await statuses()).toEqual([{ tenant: 'acme', status: 'job_status_not_started' }])
})

test("a tenant's worker runs the tenant's jobs, and another's wait", async () => {
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'bolt' }])
  expect(await work(acme)).toEqual({ served: ['acme'], errors: [] })
  expect(await work(nobody)).toEqual({ served: [], errors: [] })
  expect(await statuses()).toEqual([
    { tenant: 'acme', status: 'job_status_succeeded' },
    { tenant: 'bolt', status: 'job_status_not_started' },
  ])
  expect(await work(bolt)).toEqual({ served: ['bolt'], errors: [] })
})

test("a worker with BYPASSRLS runs every tenant's jobs", async () => {
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'bolt' }])
  expect(await work(everybody)).toEqual({ served: ['acme', 'bolt'], errors: [] })
})

test('a dead worker leaves its jobs to those that see them', async () => {
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'bolt' }])
  await fetchNextJobs(db, table, { worker: randomUUID(), limit: 2 })
  await db.updateTable(table).set({ locked_at: sql`now() - interval '1 hour'` }).execute()
  const rescued = new Promise<number>((resolve) => {
    const worker = createWorker(acme, table, () => undefined, { logger: quiet })
    worker.once('rescued', ({ jobs }) => worker.stop().then(() => resolve(jobs.length)))
    worker.start()
  })
  expect(await rescued).toBe(1)
  expect((await statuses()).map(({ tenant, status }) => tenant === 'bolt' && status)).toContain('job_status_running')
})

test('a lease on a job that is hidden can be neither renewed nor settled: the attempt is lost, and nobody is harmed', async () => {
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'acme' }])
  const worker = createWorker(acme, table, moveFirst, { logger: quiet, concurrency: 1 })
  const moved: unknown[] = []
  async function moveFirst(job: any): Promise<void> {
    if (moved.push(job.id) === 1) await db.updateTable(table).set({ tenant: 'bolt' }).where('id', '=', job.id).execute()
  }
  const lost = next<{ job: { id: string }; reason: { code: string } }>(worker, 'lost')
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  expect(await lost).toMatchObject({ job: { id: moved[0] }, reason: { code: 'LEASE_LOST' } })
  await succeeded
  await worker.stop()
  expect(await heartbeat(acme, table, [{ id: moved[0] as string, attempt: 1 }], { worker: worker.id })).toEqual([])
  expect(await heartbeat(bolt, table, [{ id: moved[0] as string, attempt: 1 }], { worker: worker.id })).toHaveLength(1)
  expect(await statuses()).toEqual([
    { tenant: 'acme', status: 'job_status_succeeded' },
    { tenant: 'bolt', status: 'job_status_running' },
  ])
})

test('counts, retries and the like are of what is seen', async () => {
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'bolt' }, { tenant: 'bolt' }])
  await sql.raw(`analyze ${table}`).execute(db)
  expect((await countJobs(acme, table)).statuses.job_status_not_started).toBe(1)
  expect((await countJobs(bolt, table)).statuses.job_status_not_started).toBe(2)
  expect(await retryJobs(acme, table, { where: (job) => job.lit(true) })).toHaveLength(1)
})

test('context.complete commits with its effects under the policy', async () => {
  await enqueue(db, table, { tenant: 'acme' })
  const ended = await work(acme, (job, { complete }) =>
    acme.transaction().execute(async (trx) => {
      await trx.insertInto('billed').values({ tenant: job.tenant }).execute()
      await complete(trx)
    }),
  )
  expect(ended.errors).toEqual([])
  expect(await statuses()).toEqual([{ tenant: 'acme', status: 'job_status_succeeded' }])
  expect(await db.selectFrom('billed').selectAll().execute()).toEqual([{ tenant: 'acme' }])
})

test('context.complete in a transaction that does not see the job throws, and its effects are rolled back', async () => {
  await enqueue(db, table, { tenant: 'acme' })
  const codes: unknown[] = []
  await work(everybody, (job, { complete }) =>
    everybody
      .transaction()
      .execute(async (trx) => {
        await sql`select set_config('app.tenant', 'bolt', true)`.execute(trx)
        await sql.raw(`set local role ${role}`).execute(trx)
        await trx.insertInto('billed').values({ tenant: job.tenant }).execute()
        await complete(trx)
      })
      .catch((error) => {
        codes.push(error.code)
        throw error
      }),
  )
  expect(codes).toEqual(['LEASE_LOST'])
  expect(await db.selectFrom('billed').selectAll().execute()).toEqual([])
  expect(await db.selectFrom(table).select(['status', 'last_error']).execute()).toMatchObject([
    { status: 'job_status_retry', last_error: expect.stringMatching(/^LeaseLostError/) },
  ])
})

test('what may be seen and not updated is never claimed, and nothing breaks', async () => {
  const seeing = handleAs(database, role, '-c app.tenant=zen')
  await sql
    .raw(`create policy overview on ${table} for select using (current_setting('app.tenant') = 'zen')`)
    .execute(db)
  await enqueue(db, table, [{ tenant: 'acme' }])
  expect(await countJobs(seeing, table, { exact: true })).toMatchObject({ due: 1 })
  const errors: unknown[] = []
  await using worker = createWorker(seeing, table, () => expect.unreachable(), { logger: quiet })
  worker.on('error', ({ error }) => errors.push(error))
  await worker.start()
  await enqueue(db, table, { tenant: 'acme' })
  expect(await work(acme)).toMatchObject({ served: ['acme', 'acme'] })
  await sql.raw(`drop policy overview on ${table}`).execute(db)
  expect(worker.health()).toMatchObject({ alive: true, running: 0 })
  expect(errors).toEqual([])
})

test("the table's owner is above the policies, until they are forced", async () => {
  const owner = await createRole(database)
  await sql.raw(`grant create on schema public to ${owner}; alter table ${table} owner to ${owner}`).execute(db)
  const owning = handleAs(database, owner, '-c app.tenant=acme')
  await enqueue(db, table, [{ tenant: 'acme' }, { tenant: 'bolt' }])
  expect((await countJobs(owning, table, { exact: true })).due).toBe(2)
  await sql.raw(`alter table ${table} force row level security`).execute(db)
  expect(await work(owning)).toEqual({ served: ['acme'], errors: [] })
  await sql
    .raw(`alter table ${table} no force row level security; alter table ${table} owner to current_user`)
    .execute(db)
})

test('a worker that is to delete what succeeded refuses to start where no policy is for DELETE', async () => {
  await sql`create table kept_jobs (like ${sql.table(table)} including all)`.execute(db)
  await sql`alter table kept_jobs enable row level security`.execute(db)
  await sql.raw(`grant select, update, delete on kept_jobs to ${role}`).execute(db)
  for (const command of ['select', 'update'])
    await sql.raw(`create policy ${command}s on kept_jobs for ${command} using (true)`).execute(db)
  const worker = createWorker(acme, 'kept_jobs', () => {}, { logger: quiet, succeeded: 'delete' })
  const refusal = 'may not delete from kept_jobs; grant it DELETE (with row-level security by a policy too)'
  await expect(worker.start()).rejects.toThrow(refusal)
  await sql`create policy others on kept_jobs for delete to pg_monitor using (true)`.execute(db)
  await expect(worker.start()).rejects.toThrow(refusal)
  await sql`create policy deletes on kept_jobs for delete using (true)`.execute(db)
  await db.insertInto('kept_jobs').values({ tenant: 'acme' }).execute()
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await worker.stop()
  expect(await db.selectFrom('kept_jobs').selectAll().execute()).toEqual([])
})
