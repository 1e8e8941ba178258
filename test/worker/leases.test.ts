import { EventEmitter, once } from 'node:events'
import { sql } from 'kysely'
import { cancelJobs, enqueue, type LeaseLostError, type WorkerOptions } from 'kysely-jobs'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, type MailHandler, next, startMailWorker } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

// what one test leaves running, its successor's worker would take
beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** A handler that goes on until the test lets it end, and tells why its signal aborted. */
function heldHandler() {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const aborted = Promise.withResolvers<{ code: string; message: string }>()
  const handler = async (_job: unknown, { signal }: { signal: AbortSignal }) => {
    signal.addEventListener('abort', () => aborted.resolve(signal.reason))
    begin()
    await held
  }
  return { handler, begun, release, aborted: aborted.promise }
}

const started = (handler: MailHandler, options: WorkerOptions = {}) =>
  startMailWorker(db, handler, { lease: '1s', ...options })

/** Each renewal of a lease is told, so that tests can wait for them. */
const listener = new pg.Client({ connectionString: url })
const beats = new EventEmitter()
beforeAll(async () => {
  await sql`create function tell() returns trigger language plpgsql
    as $$ begin perform pg_notify('beat', new.id::text); return new; end $$`.execute(db)
  await sql`create trigger tell after update of locked_at on mail_jobs for each row
    when (new.attempts_count = old.attempts_count and new.locked_at > old.locked_at) execute function tell()`.execute(
    db,
  )
  listener.on('error', () => {}).on('notification', ({ payload = '' }) => beats.emit(payload))
  await listener.connect()
  await listener.query('listen beat')
})
afterAll(() => listener.end())

/** Resolves when the lease of a job was renewed so many times from now on. */
async function heardBeats(id: string, count: number): Promise<void> {
  for (let heard = 0; heard < count; heard++) await once(beats, id)
}

const row = (id: string) => db.selectFrom('mail_jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

test('a job that runs longer than the lease keeps it, and is run once', async () => {
  const { handler, release, begun } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'ada' })
  const worker = await started(handler)
  await begun
  await started(() => Promise.reject(new Error('it was taken')))
  await heardBeats(id, 4) // each a third of the lease after the one before
  const succeeded = next(worker, 'succeeded')
  release()
  await succeeded
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
})

test('a handler whose row was taken learns it by its signal, and its outcome changes nothing', async () => {
  const { handler, begun, release, aborted } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'bob' })
  const worker = await started(handler)
  await begun
  const other = '11111111-1111-4111-8111-111111111111'
  await db.updateTable('mail_jobs').set({ locked_by: other, attempts_count: 2 }).where('id', '=', id).execute()
  const lost = next<{ reason: LeaseLostError }>(worker, 'lost')
  expect((await aborted).code).toBe('LEASE_LOST')
  expect((await lost).reason.message).toContain('taken by another')
  release()
  await worker.stop()
  expect(await row(id)).toMatchObject({ status: 'job_status_running', attempts_count: 2, locked_by: other })
})

test('a handler whose row was deleted learns it by its signal', async () => {
  const { handler, begun, release, aborted } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'cy' })
  await started(handler)
  await begun
  await db.deleteFrom('mail_jobs').where('id', '=', id).execute()
  expect((await aborted).message).toContain('its row is gone')
  release()
})

test('a running job that is cancelled aborts its handler with that reason', async () => {
  const { handler, begun, release, aborted } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'dee' })
  const told = next<{ reason: string }>(await started(handler), 'cancelled')
  await begun
  expect(await cancelJobs(db, 'mail_jobs', { ids: [id] }, { reason: 'the user left' })).toEqual([id])
  expect(await aborted).toMatchObject({
    code: 'CANCELLED',
    message: expect.stringContaining('Cancelled: the user left'),
    reason: 'the user left',
  })
  expect((await told).reason).toBe('the user left') // as it was said, and as with cancel(...)
  release()
  expect(await row(id)).toMatchObject({ status: 'job_status_cancelled', locked_by: null })
})

test('a handler whose own transaction locks its row does not lose it, nor do its neighbours', async () => {
  const { handler, begun, release } = heldHandler()
  const neighbour = await enqueue(db, 'mail_jobs', { to: 'neighbour' })
  const locker = await enqueue(db, 'mail_jobs', { to: 'locker' })
  let locked = () => {}
  const isLocked = new Promise<void>((resolve) => {
    locked = resolve
  })
  const worker = await started(async (job, context) => {
    if (job.to === 'neighbour') return handler(job, context)
    await db.transaction().execute(async (trx) => {
      await trx.updateTable('mail_jobs').set({ to: 'locked' }).where('id', '=', job.id).execute()
      locked()
      await heardBeats(neighbour.id, 2)
    })
  })
  await Promise.all([begun, isLocked])
  const both = [
    next(worker, 'succeeded', ({ job }: { job: { id: string } }) => job.id === locker.id),
    next(worker, 'succeeded', ({ job }: { job: { id: string } }) => job.id === neighbour.id),
  ]
  await both[0]
  release()
  await both[1]
  expect(await row(locker.id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1, to: 'locked' })
  expect(await row(neighbour.id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
})

test('a handler that can not be renewed in time is aborted before anyone may take its job', async () => {
  const { handler, begun, release, aborted } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'eve' })
  const worker = await started(handler)
  await begun
  const hidden = next(worker, 'error')
  await sql`alter table mail_jobs rename to hidden_jobs`.execute(db)
  expect((await aborted).code).toBe('LEASE_LOST')
  const { rows } = await sql<{
    held: boolean
  }>`select clock_timestamp() < locked_at + interval '1 second' as held from hidden_jobs where id = ${id}`.execute(db)
  expect(rows).toEqual([{ held: true }])
  await sql`alter table hidden_jobs rename to mail_jobs`.execute(db)
  await hidden
  release()
})

test('a job whose lease ran out before its handler was called is handed back, not begun', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'blocks' }, { to: 'behind it' }])
  let blocked = false
  const worker = await started(
    () => {
      if (!blocked) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900) // of a lease of a second
      blocked = true
    },
    { concurrency: 2 },
  )
  await next(worker, 'released')
  await next(worker, 'succeeded')
})

test('a handler whose completion was rolled back keeps its lease while it goes on', async () => {
  const { handler, begun, release } = heldHandler()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'rolled' })
  const worker = await started(async (job, context) => {
    const failing = db.transaction().execute(async (trx) => {
      await context.complete(trx)
      throw new Error('rolled back')
    })
    await failing.catch(() => {})
    await handler(job, context)
  })
  const lost = next(worker, 'lost').then(() => 'lost')
  await begun
  const renewed = heardBeats(id, 1).then(() => 'renewed')
  expect(await Promise.race([renewed, lost])).toBe('renewed')
  const succeeded = next(worker, 'succeeded')
  release()
  await succeeded
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
})

test('a row that somebody has locked holds up no outcome but its own', async () => {
  const jobs = await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 20 }, (_, n) => ({ to: `locked ${n}` })),
  )
  const go = Promise.withResolvers<void>()
  const worker = await started(() => go.promise, { concurrency: 20 })
  await expect.poll(() => worker.health().running).toBe(20)
  const held = await db.startTransaction().execute()
  const [first, ...others] = jobs.map(({ id }) => id)
  await held
    .selectFrom('mail_jobs')
    .select('id')
    .where('id', '=', first ?? '')
    .forUpdate()
    .execute()
  const ofOthers = new Set<string>()
  const written = next<{ job: { id: string } }>(worker, 'succeeded', ({ job }) => ofOthers.add(job.id).size === 19)
  go.resolve()
  await written
  expect([...ofOthers].sort()).toEqual(others.sort())
  const last = next<{ job: { id: string } }>(worker, 'succeeded', ({ job }) => job.id === first)
  await held.rollback().execute()
  await last
  expect(await row(first ?? '')).toMatchObject({ status: 'job_status_succeeded', attempts_count: 1 })
})
