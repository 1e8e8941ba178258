import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import {
  archiveJobs,
  cancelJobs,
  countJobs,
  createWorker,
  deleteJobs,
  enqueue,
  listPauses,
  pauseJobs,
  pruneJobs,
  rescheduleJobs,
  resumeJobs,
  retryJobs,
} from 'kysely-jobs'
import {
  createJobArchive,
  createJobPauses,
  createUniqueIndex,
  dropJobArchive,
  dropJobPauses,
  dropUniqueIndex,
  keepJobArchive,
} from 'kysely-jobs/migrate'
import {
  fetchNextJobs,
  heartbeat,
  inspectJobTable,
  type JobId,
  jobStates,
  nextDueAt,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'

const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * Puts jobs through every verb and a worker, by a handle with whatever plugins and driver settings, on an empty job
 * table that is left empty. Without vitest, so that a program of its own can do it too.
 * @param payload the user's columns of the nth job, and its id where the table makes none
 * @param options.isUnique jobs may be unique by the first of these columns
 */
export async function everyVerb(
  db: Kysely<any>,
  table: string,
  payload: (n: number) => object,
  { isUnique = true }: { readonly isUnique?: boolean } = {},
): Promise<void> {
  assert.deepEqual((await inspectJobTable(db, table)).advice, [])
  if (isUnique) await unique(db, table, payload)
  const ids = await enqueued(db, table, payload)
  await claimedAndSettled(db, table, ids)
  await changedByHand(db, table, ids)
  await rescued(db, table)
  await paused(db, table, payload(0), ids)
  await worked(db, table, ids)
  assert.deepEqual(new Set(await statuses(db, table, ids)), new Set(['succeeded']))
  await archived(db, table, ids)
  await retryJobs(db, table, { ids: ids.slice(0, 2) })
  await worked(db, table, ids.slice(0, 2), { succeeded: 'delete' })
  await pruned(db, table)
}

/** By the pool and by both kinds of transactions; what is rolled back never was. */
async function enqueued(db: Kysely<any>, table: string, payload: (n: number) => object): Promise<JobId[]> {
  const first = await enqueue(db, table, payload(0))
  const more = await db.transaction().execute((trx) => enqueue(trx, table, [payload(1), payload(2)]))
  const trx = await db.startTransaction().execute()
  const saved = await trx.savepoint('before').execute()
  await enqueue(saved, table, payload(3))
  const back = await saved.rollbackToSavepoint('before').execute()
  const last = await enqueue(back, table, payload(3), { delay: 0 })
  await back.commit().execute()
  const rolledBack = await db.startTransaction().execute()
  await enqueue(rolledBack, table, payload(4))
  await rolledBack.rollback().execute()
  for (const [key, value] of Object.entries(payload(0))) assert.deepEqual(Reflect.get(first, key), value)
  const due = await nextDueAt(db, table)
  assert.ok(due !== undefined && due <= 0)
  return [first, ...more, last].map(({ id }) => id)
}

/** What an enqueue of a unique job answers, whose columns the types don't know here. */
type Standing = { readonly job: { readonly id: JobId }; readonly isNew: boolean }

/** Unique jobs by the first column of the payload, in both ways and for a time; none is left. */
async function unique(db: Kysely<any>, table: string, payload: (n: number) => object): Promise<void> {
  const [column] = Object.keys(payload(0)).filter((name) => name !== 'id')
  if (column === undefined) return
  const call = async (rows: object[], options: object): Promise<Standing[]> => {
    const answer: unknown = await enqueue(db, table, rows as never, { unique: [column], ...options } as never)
    return answer as Standing[]
  }
  for (const whileRunning of ['ignore', 'queue'] as const) {
    await createUniqueIndex(db, table, [column], { whileRunning, within: whileRunning === 'ignore' })
    const [first] = await call([payload(0)], { whileRunning })
    assert.equal(first?.isNew, true)
    for (const onConflict of ['ignore', 'replace', 'keepEarliest'] as const) {
      const answers = await call([payload(0), payload(1)], { whileRunning, onConflict })
      assert.deepEqual(
        answers.map(({ isNew }) => isNew),
        [false, onConflict === 'ignore'],
      )
      assert.deepEqual(answers[0]?.job.id, first?.job.id)
      assert.deepEqual(
        answers.map(({ job }) => Object.keys(job)),
        [first, first].map((one) => Object.keys(one?.job ?? {})),
      )
      assert.deepEqual(
        (await call([payload(0)], { whileRunning, onConflict })).map(({ isNew }) => isNew),
        [false],
      )
    }
    await assert.rejects(call([payload(0)], { whileRunning, onConflict: 'error' }), { code: 'JOB_EXISTS' })
    if (whileRunning === 'ignore') await throttled(db, table, () => call([payload(0)], { within: '1h' }))
    await db.deleteFrom(table).execute()
    await dropUniqueIndex(db, table, [column])
    await assert.rejects(call([payload(0)], { whileRunning }), { code: 'NO_UNIQUE_INDEX' })
  }
}

/** Of a table in which such a job stands. */
async function throttled(db: Kysely<any>, table: string, call: () => Promise<Standing[]>): Promise<void> {
  await db.updateTable(table).set({ status: 'job_status_succeeded' }).execute()
  assert.equal((await call())[0]?.isNew, false)
  await db.deleteFrom(table).execute()
  assert.equal((await call())[0]?.isNew, true)
}

async function claimedAndSettled(db: Kysely<any>, table: string, ids: readonly JobId[]): Promise<void> {
  const jobs = await fetchNextJobs(db, table, { worker, limit: 10 })
  assert.deepEqual(jobs.map(({ id }) => String(id)).sort(), ids.map(String).sort())
  const leases = ids.map((id) => ({ id, attempt: 1 }))
  assert.equal((await heartbeat(db, table, leases, { worker })).length, 4)
  const [a, b, c, d] = leases as [Lease, Lease, Lease, Lease]
  const written = await settle(
    db,
    table,
    [
      { ...a, kind: 'succeeded' },
      { ...b, kind: 'failed', error: 'no such user' },
      { ...c, kind: 'retry', error: 'busy', delay: 60_000 },
      { ...d, kind: 'snoozed', delay: 60_000 },
    ],
    { worker },
  )
  assert.equal(written.length, 4)
  assert.deepEqual(await statuses(db, table, ids), ['succeeded', 'failed', 'retry', 'not_started'])
  assert.equal((await countJobs(db, table, { exact: true })).statuses.job_status_failed, 1)
}

type Lease = { readonly id: JobId; readonly attempt: number }

async function changedByHand(db: Kysely<any>, table: string, ids: readonly JobId[]): Promise<void> {
  const [a, b, c, d] = ids as [JobId, JobId, JobId, JobId]
  const ofD: { where: (eb: any) => any } = { where: (eb) => eb('id', '=', d) }
  assert.equal((await rescheduleJobs(db, table, ofD, { to: 'infinity' })).length, 1)
  assert.equal((await rescheduleJobs(db, table, { ids: [d] }, { delay: '1h' })).length, 1)
  assert.equal((await cancelJobs(db, table, { ids: [c] })).length, 1)
  assert.equal(await cancelJobs(db, table, ofD, { dryRun: true }), 1)
  assert.equal((await cancelJobs(db, table, { where: (eb) => eb('id', '=', d) })).length, 1)
  assert.deepEqual(await statuses(db, table, ids), ['succeeded', 'failed', 'cancelled', 'cancelled'])
  assert.equal((await retryJobs(db, table, { ids: [a, b, c, d] })).length, 4)
  const [job] = await fetchNextJobs(db, table, { worker, limit: 1 })
  assert.equal((await release(db, table, [{ id: job?.id, attempt: 1 }], { worker })).length, 1)
  assert.deepEqual(new Set(await statuses(db, table, ids)), new Set(['not_started']))
}

async function rescued(db: Kysely<any>, table: string): Promise<void> {
  await fetchNextJobs(db, table, { worker, limit: 2 })
  const aged = { locked_at: sql`now() - interval '1 hour'` }
  await db.updateTable(table).set(aged).where('locked_by', '=', worker).execute()
  const taken = await rescue(db, table, { lease: '60s', maxAttempts: 5 })
  assert.deepEqual(
    taken.map(({ attempt, status }) => [attempt, status]),
    [
      [1, 'job_status_retry'],
      [1, 'job_status_retry'],
    ],
  )
}

/** The key of the first job by the first column that serves, and the table. All wait again in the end. */
async function paused(db: Kysely<any>, table: string, payload: object, ids: readonly JobId[]): Promise<void> {
  await createJobPauses(db)
  await pauseJobs(db, table, { reason: 'for a moment', until: '1h' })
  assert.equal((await countJobs(db, table)).paused, true)
  assert.equal(await resumeJobs(db, table), true)
  const isOfKey = ([name, value]: [string, unknown]) => name !== 'id' && ['string', 'number'].includes(typeof value)
  const key = Object.entries(payload).find(isOfKey)
  if (key !== undefined) {
    const where = Object.fromEntries([key])
    await db.transaction().execute((trx) => pauseJobs(trx, table, { where }))
    assert.equal((await listPauses(db, table)).length, 1)
    await worked(db, table, ids.slice(1))
    assert.equal(await resumeJobs(db, table, { where }), true)
    await retryJobs(db, table, { ids: ids.slice(1) })
  }
  await dropJobPauses(db)
}

/** One job is completed in a transaction of its own, the others by their return. */
async function worked(db: Kysely<any>, table: string, ids: readonly JobId[], options: object = {}): Promise<void> {
  const done: unknown[] = []
  const first = String(ids[0])
  const mill = createWorker(
    db,
    table,
    async (job, { complete }) => {
      if (String(job.id) === first) await db.transaction().execute((trx) => complete(trx))
    },
    { logger: quiet, ...options },
  )
  const idle = new Promise((resolve) => mill.once('idle', resolve))
  mill.on('succeeded', ({ job }) => done.push(String(job.id)))
  await mill.start()
  await idle
  await mill.stop()
  assert.deepEqual(done.sort(), ids.map(String).sort())
}

/** To an archive and back, and by a worker there. It is gone in the end, and all have succeeded. */
async function archived(db: Kysely<any>, table: string, ids: readonly JobId[]): Promise<void> {
  await createJobArchive(db, table)
  assert.equal((await archiveJobs(db, table, { olderThan: 0 })).length, 4)
  assert.equal((await countJobs(db, table)).statuses.job_status_succeeded, 4)
  assert.equal((await retryJobs(db, table, { ids: ids.slice(1) })).length, 3)
  assert.equal((await retryJobs(db, table, { where: (eb) => eb('id', '=', ids[0]) })).length, 1)
  await worked(db, table, ids, { succeeded: 'archive' })
  assert.equal((await countJobs(db, table, { exact: true })).statuses.job_status_succeeded, 4)
  await keepJobArchive(db, table)
  assert.equal((await retryJobs(db, table, { where: (eb) => eb.lit(true) })).length, 4)
  await worked(db, table, ids)
  await dropJobArchive(db, table)
}

async function pruned(db: Kysely<any>, table: string): Promise<void> {
  await db.updateTable(table).set({ updated_at: sql`now() - interval '1 hour'` }).execute()
  assert.equal(await deleteJobs(db, table, { where: (eb) => eb.lit(true) }, { dryRun: true }), 2) // two of four were deleted
  const [first] = await db.selectFrom(table).select('id').execute()
  assert.equal((await deleteJobs(db, table, { where: (eb) => eb('id', '=', first?.id) })).length, 1)
  assert.equal(await pruneJobs(db, table, { olderThan: '1m' }), 1)
  assert.equal((await countJobs(db, table, { exact: true })).statuses.job_status_succeeded, 0)
}

async function statuses(db: Kysely<any>, table: string, ids: readonly JobId[]): Promise<string[]> {
  const states = new Map((await jobStates(db, table, ids)).map((state) => [String(state.id), state.status]))
  return ids.map((id) => String(states.get(String(id))).replace('job_status_', ''))
}
