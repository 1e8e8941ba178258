import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from './mail-jobs.js'

const { db } = await testDatabase()

/** A worker of a table that has these columns. */
async function worker(
  table: string,
  columns: ('result' | 'errors' | 'finished_at' | 'started_at' | 'priority')[],
  handler: (job: { readonly to: string }) => unknown,
  options: object = {},
) {
  await createJobTable(db, table, (builder) => builder.addColumn('to', 'text'), { columns })
  const made = createWorker(db, table, async (job) => handler(job as { to: string }), {
    logger: quiet,
    pollInterval: '50ms',
    ...options,
  })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  const complaints: string[] = []
  made.on('error', ({ error }) => complaints.push(String(error)))
  await made.start()
  return { made, complaints }
}

const rows = (table: string) => db.selectFrom(table).select(['status', 'attempts_count']).execute()

test('optional columns that are dropped while a handler runs cost its job nothing: the outcome is written without them', async () => {
  const { made, complaints } = await worker('letters', ['result', 'errors', 'finished_at'], async () => {
    await sql`alter table letters drop column result, drop column finished_at, drop column errors`.execute(db)
    return { sent: true }
  })
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'letters', { to: 'ada' })
  await succeeded
  expect(await rows('letters')).toEqual([{ status: 'job_status_succeeded', attempts_count: 1 }])
  expect(complaints.join()).toMatch(/column "(?:result|errors|finished_at)"/)
})

test('a fetch does without a column that was dropped', async () => {
  const { made } = await worker('parcels', ['started_at'], () => undefined)
  await sql`alter table parcels drop column started_at`.execute(db)
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'parcels', { to: 'ada' })
  await succeeded
  expect(await rows('parcels')).toEqual([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('a priority that is dropped while a worker rests or works costs a few errors, and no job', async () => {
  const { made, complaints } = await worker('bills', ['priority'], () => undefined)
  await sql`alter table bills drop column priority`.execute(db)
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'bills', { to: 'ada' })
  await succeeded
  const before = complaints.length
  for (let n = 0; n < 5; n++) {
    const again = next(made, 'succeeded')
    await enqueue(db, 'bills', { to: 'bob' })
    await again
  }
  expect(complaints.slice(before)).toEqual([])
})

test('a priority that is added while a worker runs is heeded', async () => {
  const begun: string[] = []
  await worker('orders', [], ({ to }) => begun.push(to), { concurrency: 1 })
  await sql`alter table orders add column priority smallint not null default 0`.execute(db)
  // the first rows show the column; then the worker looks at the table again
  for (let round = 0; round < 20 && begun[0] !== 'high'; round++) {
    begun.length = 0
    await sql`insert into orders ("to", priority, run_at) select 'low', 0, now() - interval '1 minute' from generate_series(1, 3)
      union all select 'high', 1, now()`.execute(db)
    await expect.poll(() => begun).toHaveLength(4)
  }
  expect(begun).toEqual(['high', 'low', 'low', 'low'])
})

test('of a column that no worker can do without it is said that it is missing; when it is back, jobs run', async () => {
  const { made, complaints } = await worker('cards', [], () => undefined)
  const missing = next<{ error: Error }>(made, 'error', ({ error }) =>
    error.message.includes("column 'last_error' is missing"),
  )
  await sql`alter table cards drop column last_error`.execute(db)
  await sql`insert into cards (status, locked_at, attempts_count) values ('job_status_running', '-infinity', 1)`.execute(
    db,
  )
  await missing
  await sql`alter table cards add column last_error text`.execute(db)
  await expect.poll(() => rows('cards'), { timeout: 10_000 }).toMatchObject([{ status: 'job_status_succeeded' }])
  expect(complaints.length).toBeGreaterThan(0)
})
