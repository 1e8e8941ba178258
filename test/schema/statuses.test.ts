import fc from 'fast-check'
import { sql } from 'kysely'
import { cancelJobs, enqueue, type JobStatus, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import {
  fetchNextJobs,
  finalStatuses,
  isJobStatus,
  JobStatusError,
  jobStatuses,
  jobStatusLabels,
  jobStatusMoves,
  type LeasedOutcome,
  parseJobStatus,
  pendingStatuses,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'jobs', (table) => table.addColumn('name', 'text'))
  await sql`
    create table moves (before text, after text, name text);
    create function note_move() returns trigger language plpgsql as $$
      begin insert into moves values (old.status, new.status, new.name); return null; end $$;
    create trigger note_move after update on jobs for each row when (old.status <> new.status) execute function note_move()`.execute(
    handle,
  )
})
const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'

test('a status is pending, running or final, and has a label of its own', () => {
  expect([...pendingStatuses, 'job_status_running', ...finalStatuses].toSorted()).toEqual(jobStatuses.toSorted())
  expect(Object.keys(jobStatusLabels).toSorted()).toEqual(jobStatuses.toSorted())
  expect(new Set(Object.values(jobStatusLabels)).size).toBe(7)
})

test('the enum of the database has the values of the tuple, in its order', async () => {
  const { rows } = await sql`select enum_range(null::job_status)::text[] as statuses`.execute(db)
  expect(rows).toEqual([{ statuses: jobStatuses }])
})

test.each(jobStatuses)('%s is a status, exactly so', (status) => {
  expect(isJobStatus(status)).toBe(true)
  expect(parseJobStatus(status)).toBe(status)
  for (const near of [status.toUpperCase(), ` ${status}`, status.slice('job_status_'.length)]) {
    expect(isJobStatus(near)).toBe(false)
  }
})

test.each([
  [
    'job_status_done',
    'UNKNOWN_STATUS',
    'Unexpected value for a job status: "job_status_done". Known values: job_status_not_started, ',
  ],
  ['', 'UNKNOWN_STATUS', 'Unexpected value for a job status: "". '],
  [5, 'UNKNOWN_STATUS', 'Unexpected value for a job status: 5. '],
  [['job_status_retry'], 'UNKNOWN_STATUS', 'Unexpected value for a job status: an array. '],
  [null, 'UNEXPECTED_NULL', 'Unexpected null for a job status: the column must be NOT NULL'],
  [undefined, 'UNEXPECTED_NULL', 'Unexpected undefined for a job status: the column must be NOT NULL'],
])('%j is none, and the error says so', (value, code, message) => {
  expect(() => parseJobStatus(value)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  )
})

test('whatever is parsed, it is one of the seven or a JobStatusError: property', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true }), (value) => {
      try {
        expect(jobStatuses).toContain(parseJobStatus(value))
      } catch (error) {
        expect(error).toBeInstanceOf(JobStatusError)
      }
    }),
  )
})

/** Seven jobs of these names, claimed; by name. */
async function claimed(names: string[]): Promise<Map<string, { id: string; attempt: number }>> {
  await enqueue(
    db,
    'jobs',
    names.map((name) => ({ name })),
  )
  const rows = await fetchNextJobs(db, 'jobs', { worker, limit: 20 })
  return new Map(rows.map((row) => [row.name, { id: row.id, attempt: row.attempts_count }]))
}

test('each move that a verb makes is in the table of moves, and each move of the table is made by a verb', async () => {
  const endings = [
    { kind: 'succeeded' },
    { kind: 'failed', error: 'no' },
    { kind: 'timed_out', error: 'no' },
    { kind: 'retry', error: 'no', delay: 0 },
    { kind: 'snoozed', delay: 0 },
    { kind: 'cancelled', reason: 'no' },
  ]
  const leases = await claimed([...endings.map(({ kind }) => kind), 'released', 'rescued', 'given up', 'stopped'])
  const ids = (...names: string[]) => names.map((name) => leases.get(name)?.id ?? '')
  const outcomes = endings.map((ending) => ({ ...leases.get(ending.kind), ...ending }) as LeasedOutcome)
  expect(await settle(db, 'jobs', outcomes, { worker })).toHaveLength(6)
  await release(db, 'jobs', [leases.get('released') as LeasedOutcome], { worker })
  await rescue(db, 'jobs', { lease: 0, maxAttempts: 9, only: [leases.get('rescued') as LeasedOutcome] })
  await rescue(db, 'jobs', { lease: 0, maxAttempts: 1, only: [leases.get('given up') as LeasedOutcome] })
  await cancelJobs(db, 'jobs', { ids: ids('stopped') })
  await retryJobs(db, 'jobs', { where: (eb) => eb.lit(true) }) // final ones, and `retry`
  await fetchNextJobs(db, 'jobs', { worker, limit: 3 })
  await rescue(db, 'jobs', { lease: 0, maxAttempts: 9 }) // three in retry, the others not started
  await fetchNextJobs(db, 'jobs', { worker, limit: 6 })
  await cancelJobs(db, 'jobs', { where: (eb) => eb('status', '=', 'job_status_not_started') })
  await rescue(db, 'jobs', { lease: 0, maxAttempts: 9 })
  await fetchNextJobs(db, 'jobs', { worker, limit: 1 }) // from retry
  await cancelJobs(db, 'jobs', { where: (eb) => eb('status', '=', 'job_status_retry') })

  const { rows } = await sql<{ move: string }>`select distinct before || ' ' || after as move from moves`.execute(db)
  const allowed = Object.entries(jobStatusMoves).flatMap(([from, to]) =>
    to.map((status: JobStatus) => `${from} ${status}`),
  )
  expect(rows.map(({ move }) => move).toSorted()).toEqual(allowed.toSorted())
})
