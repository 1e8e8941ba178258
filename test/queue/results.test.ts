import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, type LeasedOutcome, settle } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'

const { db } = await testDatabase(async (handle) => {
  await sql`create type verdict as enum ('good', 'bad')`.execute(handle)
  await sql`create domain score as int check (value between 0 and 100)`.execute(handle)
})

/** Settles a job for each result in a table whose `result` is of a type, in one batch; gives what was stored. */
async function stored(type: string, results: unknown[]): Promise<unknown[]> {
  await sql`drop table if exists jobs`.execute(db)
  await createJobTable(db, 'jobs', (table) => table.addColumn('place', 'integer').addColumn('result', sql.raw(type)))
  await enqueue(
    db,
    'jobs',
    results.map((_, place) => ({ place })),
  )
  const jobs = await fetchNextJobs(db, 'jobs', { worker, limit: results.length })
  const outcomes = jobs.map(
    (job): LeasedOutcome => ({ id: job.id, attempt: 1, kind: 'succeeded', result: results[job.place] }),
  )
  expect(await settle(db, 'jobs', outcomes, { worker, columns: ['result'] })).toHaveLength(results.length)
  const rows = await db.selectFrom('jobs').select('result').orderBy('place').execute()
  return rows.map(({ result }) => result)
}

test.each([
  ['jsonb', [{ a: [1, null] }, 'text', 5, false, [1, 2], undefined]],
  ['json', [{ a: [1, null] }, 'text', 5, [], undefined]],
  ['text', ['it worked', '', '{"as": "text"}', 'naïve 🧾 \\ " \n', undefined]],
  ['varchar(20)', ['short', undefined]],
  ['integer', [5, -1, 0, undefined]],
  ['double precision', [0.1, 1e300, -0.5, undefined]],
  ['boolean', [true, false, undefined]],
  ['verdict', ['good', 'bad', undefined]],
  ['score', [0, 100, undefined]],
  ['integer[]', [[1, 2, 3], [], undefined]],
  ['text[]', [['a', 'b,c', '"'], undefined]],
  ['uuid', ['6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10', undefined]],
  ['bigint', ['9007199254740993', undefined]],
])('a result of type %s is stored as it was returned', async (type, results) => {
  expect(await stored(type, results)).toEqual(results.map((result) => result ?? null))
})

test('a date is stored as the moment that it is', async () => {
  const date = new Date('2026-11-25T10:00:00.123Z')
  expect(await stored('timestamptz', [date])).toEqual([date])
})

test('what a handler returned nothing for keeps its value, whatever is in the same batch', async () => {
  await stored('text', ['old', 'old'])
  await db.updateTable('jobs').set({ status: 'job_status_not_started', attempts_count: 0 }).execute()
  const jobs = await fetchNextJobs(db, 'jobs', { worker, limit: 2 })
  const outcomes = jobs.map((job): LeasedOutcome => {
    return { id: job.id, attempt: 1, kind: 'succeeded', result: job.place === 0 ? 'new' : undefined }
  })
  await settle(db, 'jobs', outcomes, { worker, columns: ['result'] })
  expect(await db.selectFrom('jobs').select('result').orderBy('place').execute()).toEqual([
    { result: 'new' },
    { result: 'old' },
  ])
})

test('a result that its column can not hold is refused, and no job of the batch is written', async () => {
  await expect(stored('verdict', ['good', 'so-so'])).rejects.toThrow('invalid input value for enum verdict: "so-so"')
  await expect(stored('score', [101])).rejects.toThrow('violates check constraint')
  expect(await db.selectFrom('jobs').select('status').execute()).toEqual([{ status: 'job_status_running' }])
})
