import { Kysely, PostgresDialect, sql } from 'kysely'
import { createWorker, enqueue, guardPool } from 'kysely-jobs'
import { fetchNextJobs, heartbeat, rescue, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { quiet } from '../worker/mail-jobs.js'
import { claim, createMailJobs, jobs, other, worker } from './mail-jobs.js'

/** Its commits reach the disk; vacuum writes nothing in between. */
const server = await startPostgres({ settings: { autovacuum: 'off', synchronous_commit: 'on' } })
const pool = guardPool(new pg.Pool({ connectionString: server.url }))
pool.on('error', () => {})
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
await createMailJobs(db)
afterAll(async () => {
  await db.destroy()
  await server.stop()
})

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** From now on commits wait for a standby that is not there, or no more. */
async function waitFor(standby: string): Promise<void> {
  await sql`alter system set synchronous_standby_names = ${sql.lit(standby)}`.execute(db)
  await sql`select pg_reload_conf()`.execute(db)
  await expect.poll(shown).toBe(standby)
}

async function shown(): Promise<string> {
  const { rows } = await sql<{ names: string }>`select current_setting('synchronous_standby_names') as names`.execute(
    db,
  )
  return rows[0]?.names ?? ''
}

async function waiting(): Promise<number> {
  const { rows } = await sql`select from pg_stat_activity where wait_event = 'SyncRep'`.execute(db)
  return rows.length
}

test('a claim, a renewal and a rescue wait for no standby; an outcome does, and what users write, and their transactions', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ann' }, { to: 'bob' }, { to: 'eve' }])
  await waitFor('nobody')
  onTestFinished(() => waitFor(''))

  const [ann, bob] = await claim(db, 2)
  if (ann === undefined || bob === undefined) throw new Error('two jobs were due')
  expect(await heartbeat(db, 'mail_jobs', [ann, bob], { worker })).toHaveLength(2)
  await db.transaction().execute(async (trx) => {
    await sql`set local synchronous_commit = off`.execute(trx)
    await sql`update mail_jobs set locked_at = now() - interval '1 hour' where "to" = 'bob'`.execute(trx)
  })
  expect(await rescue(db, 'mail_jobs', { lease: '60s', maxAttempts: 5 })).toMatchObject([{ id: bob.id }])
  expect(await waiting()).toBe(0)

  const written = [
    settle(db, 'mail_jobs', [{ ...ann, kind: 'succeeded' }], { worker }),
    enqueue(db, 'mail_jobs', { to: 'ken' }),
    db.transaction().execute((trx) => fetchNextJobs(trx, 'mail_jobs', { worker, limit: 1 })),
  ]
  await expect.poll(waiting).toBe(written.length)
  await waitFor('')
  expect(await Promise.all(written)).toMatchObject([[{ id: ann.id }], { to: 'ken' }, [{}]])
})

/** A crash in the moment between a commit that waits for no disk and the writing of the log: its writer stands still. */
async function crashBeforeFlush(work: () => Promise<unknown>): Promise<void> {
  const writers = await sql<{ pid: number }>`select pid from pg_stat_activity where backend_type = 'walwriter'`.execute(
    db,
  )
  const pid = writers.rows[0]?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  await work()
  await server.halt('kill')
  process.kill(pid, 'SIGKILL')
  await server.resume()
}

test('a claim that a crash of the server forgets leaves its job pending, and what was done under it is not written', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ann' })
  const [before] = await jobs(db)
  const claims: Awaited<ReturnType<typeof claim>> = []
  await crashBeforeFlush(async () => claims.push(...(await claim(db, 1))))
  expect(claims).toMatchObject([{ to: 'ann', attempt: 1 }])
  expect(await jobs(db)).toEqual([before])

  const [again] = await claim(db, 1, other)
  expect(again).toMatchObject({ to: 'ann', attempt: 1 })
  const outcome = { ...claims[0]!, kind: 'succeeded' } as const
  expect(await settle(db, 'mail_jobs', [outcome], { worker })).toEqual([])
  expect(await heartbeat(db, 'mail_jobs', claims, { worker })).toEqual([])
  expect(await settle(db, 'mail_jobs', [outcome], { worker: other })).toEqual([outcome])
})

test('an outcome that was written before a crash of the server is kept, and its claim with it', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ann' })
  await crashBeforeFlush(async () => {
    const [ann] = await claim(db, 1)
    await settle(db, 'mail_jobs', [{ ...ann!, kind: 'succeeded' }], { worker })
  })
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('a worker that claims a job again, as a crash forgot its claim, aborts the first handler and writes the outcome of the second', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ann' })
  const runs: { readonly attempt: number; readonly signal: AbortSignal }[] = []
  const first = Promise.withResolvers<void>()
  const mails = createWorker(
    db,
    'mail_jobs',
    async (_job, { attempt, signal }) => {
      runs.push({ attempt, signal })
      if (runs.length === 1) await first.promise
    },
    { logger: quiet, pollInterval: 200 },
  )
  onTestFinished(() => mails.stop({ deadline: 0 }).then(() => {}))
  await crashBeforeFlush(async () => {
    await mails.start()
    await expect.poll(() => runs).toHaveLength(1)
  })
  await expect.poll(() => runs).toMatchObject([{ attempt: 1 }, { attempt: 1 }])
  expect(runs[0]?.signal.reason).toMatchObject({ code: 'LEASE_LOST' })
  await expect.poll(() => jobs(db)).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
  first.resolve()
  await mails.stop()
  expect(await jobs(db)).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})
