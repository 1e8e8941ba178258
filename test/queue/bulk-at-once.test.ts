import { type Kysely, sql } from 'kysely'
import { cancelJobs, createWorker, deleteJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { quiet } from '../worker/mail-jobs.js'
import { createMailJobs } from './mail-jobs.js'

// Who waits looks for a deadlock once, after so long: on a busy machine the other side needs a moment to make it.
const { db } = await testDatabase(createMailJobs, { pool: { options: '-c deadlock_timeout=2s' } })

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const every = { where: (eb: any) => eb.lit(true) }

async function waiting(count: number, to = 'ada'): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    insert into mail_jobs ("to") select ${to}::text from generate_series(1, ${count}::int) n returning id`.execute(db)
  return rows.map(({ id }) => id)
}

/** How many jobs there are of each status. */
async function statuses(): Promise<Record<string, number>> {
  const { rows } = await sql<{ status: string; count: number }>`
    select status, count(*)::int from mail_jobs group by status`.execute(db)
  return Object.fromEntries(rows.map(({ status, count }) => [status.replace('job_status_', ''), count]))
}

/** Workers that claim and finish as fast as they can; each tells the ids of the jobs that it ran. */
async function busyWorkers(count: number): Promise<string[][]> {
  const ran: string[][] = Array.from({ length: count }, () => [])
  const workers = ran.map((ids) =>
    createWorker(db, 'mail_jobs', async ({ id }: any) => void ids.push(id), { logger: quiet, pollInterval: '20ms' }),
  )
  onTestFinished(() => Promise.all(workers.map((worker) => worker.stop({ deadline: 0 }))).then(() => {}))
  await Promise.all(workers.map((worker) => worker.start()))
  return ran
}

test.each<[string, (handle: Kysely<any>) => Promise<any>]>([
  ['cancelJobs', (handle) => cancelJobs(handle, 'mail_jobs', every)],
  ['deleteJobs', (handle) => deleteJobs(handle, 'mail_jobs', every)],
])('of three %s at once over the same jobs each job is changed by one', async (_, run) => {
  await waiting(3500)
  const results = await Promise.all([run(db), run(db), run(db)])
  expect(results.flatMap(({ refused }) => refused)).toEqual([])
  expect(results.flat()).toHaveLength(3500)
  expect(new Set(results.flat()).size).toBe(3500)
})

test('what no longer matches when its chunk comes is left alone', async () => {
  await waiting(1500)
  const ofAda = { where: (eb: any) => eb('to', '=', 'ada') }
  const verbs = [
    (options: object) => rescheduleJobs(db, 'mail_jobs', ofAda, { delay: '1h', ...options }),
    (options: object) => cancelJobs(db, 'mail_jobs', ofAda, options),
    (options: object) => retryJobs(db, 'mail_jobs', ofAda, options),
    (options: object) => deleteJobs(db, 'mail_jobs', ofAda, options),
  ]
  for (const run of verbs) {
    await db.updateTable('mail_jobs').set({ to: 'ada' }).execute()
    const rename = () => db.updateTable('mail_jobs').set({ to: 'ben' }).execute()
    expect(await run({ onProgress: rename })).toHaveLength(1000)
  }
})

test('while workers claim and finish, no running job is deleted, and each job either ran or is gone', async () => {
  await sql`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'it runs'; end $$;
    create trigger refuse before delete on mail_jobs for each row
      when (old.status = 'job_status_running') execute function refuse()`.execute(db)
  onTestFinished(async () => void (await sql`drop function refuse cascade`.execute(db)))
  const ids = await waiting(6000)
  const ran = await busyWorkers(2)
  await expect.poll(() => ran.flat().length).toBeGreaterThan(50)
  const deleted = await deleteJobs(db, 'mail_jobs', every)
  expect(deleted.refused).toEqual([])
  await expect.poll(async () => (await statuses()).succeeded ?? 0, { timeout: 20_000 }).toBe(6000 - deleted.length)
  expect(new Set([...deleted, ...ran.flat()])).toEqual(new Set(ids))
})

test('all verbs at once, amid workers: none fails, and what each says it has done is so', async () => {
  const ids = await waiting(4000)
  const ran = await busyWorkers(2)
  const [deleted, cancelled, moved, retried] = await Promise.all([
    deleteJobs(db, 'mail_jobs', { ids: ids.filter((_, n) => n % 3 === 0) }),
    cancelJobs(db, 'mail_jobs', { where: (eb: any) => eb.lit(true) }),
    rescheduleJobs(db, 'mail_jobs', every, { delay: 0 }),
    retryJobs(db, 'mail_jobs', { where: (eb: any) => eb('status', '=', 'job_status_succeeded') }),
  ])
  for (const { refused } of [deleted, cancelled, moved, retried]) expect(refused).toEqual([])
  const unfinished = async () => {
    const { succeeded = 0, cancelled = 0, ...others } = await statuses()
    return others
  }
  await expect.poll(unfinished, { timeout: 20_000 }).toEqual({})
  const { rows } = await sql<{ id: string; status: string }>`select id, status from mail_jobs`.execute(db)
  expect(new Set([...rows.map(({ id }) => id), ...deleted])).toEqual(new Set(ids))
  expect(rows).toHaveLength(4000 - deleted.length)
  const isCancelled = new Set(cancelled)
  const handled = new Set(ran.flat())
  for (const { id, status } of rows) {
    expect(status === 'job_status_cancelled' ? isCancelled.has(id) : handled.has(id)).toBe(true)
  }
})

test.each([
  ['by their ids', (ids: string[]) => ({ ids }), false],
  ['by a condition', () => every, false],
  ['by their ids, in a transaction', (ids: string[]) => ({ ids }), true],
])('a chunk that a deadlock undoes is written again: jobs %s', async (_, selectionOf, isTransaction) => {
  const ids = ['0', '1'].map((n) => `00000000-0000-4000-8000-00000000000${n}`)
  await db
    .insertInto('mail_jobs')
    .values(ids.map((id) => ({ id, to: 'ada' })))
    .execute()
  const touch = (handle: Kysely<any>, id: string | undefined) =>
    handle.updateTable('mail_jobs').set({ to: 'ben' }).where('id', '=', id).execute()
  const other = await db.startTransaction().execute()
  await sql`set local deadlock_timeout = '60s'`.execute(other) // so the other side is undone
  await touch(other, ids[1])
  const verb = (handle: Kysely<any>) => retryJobs(handle, 'mail_jobs', selectionOf(ids))
  const retried = isTransaction ? db.transaction().execute(verb) : verb(db)
  await expect
    .poll(
      async () =>
        (
          await sql`
      select from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()`.execute(
            db,
          )
        ).rows.length,
    )
    .toBeGreaterThan(0)
  await touch(other, ids[0])
  await other.commit().execute()
  expect((await retried).toSorted()).toEqual(ids)
})
