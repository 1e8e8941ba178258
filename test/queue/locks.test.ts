import { type Kysely, sql } from 'kysely'
import { cancelJobs, countJobs, deleteJobs, enqueue, pruneJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import {
  fetchNextJobs,
  findExpired,
  heartbeat,
  inspectJobTable,
  jobStates,
  nextDueAt,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { beforeEach, expect, test } from 'vitest'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { claimed, createMailJobs, rolledBack, worker } from './mail-jobs.js'

const { db } = await testDatabase(createMailJobs)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const lease = '60s'
const expiredRows = (trx: Kysely<any>) =>
  trx.updateTable('mail_jobs').set({ locked_at: sql`now() - interval '1 hour'` })

/** All that a worker, an enqueuer and a caretaker say to a job table, each with a row that it writes. */
const verbs: [name: string, run: (trx: Kysely<any>, ids: readonly string[]) => Promise<unknown>][] = [
  ['enqueue', (trx) => enqueue(trx, 'mail_jobs', { to: 'eve' })],
  ['fetch', (trx) => fetchNextJobs(trx, 'mail_jobs', { worker, limit: 5 })],
  ['fetch by priority', (trx) => fetchNextJobs(trx, 'mail_jobs', { worker, limit: 5, columns: ['priority'] })],
  ['next due time', (trx) => nextDueAt(trx, 'mail_jobs')],
  ['look', (trx) => pollTables([{ jobs: jobsOf(trx, 'mail_jobs'), lease, claim: { columns: ['priority'] } }])],
  ['heartbeat', (trx, [id]) => heartbeat(trx, 'mail_jobs', [{ id: id as string, attempt: 1 }], { worker })],
  ...(['succeeded', 'released'] as const).map((kind): (typeof verbs)[number] => [
    kind,
    (trx, [id]) => settle(trx, 'mail_jobs', [{ id: id as string, attempt: 1, kind }], { worker, skipLocked: true }),
  ]),
  [
    'retry',
    (trx, [id]) => settle(trx, 'mail_jobs', [{ id: id as string, attempt: 1, kind: 'retry', error: 'no' }], { worker }),
  ],
  ['release', (trx, [id]) => release(trx, 'mail_jobs', [{ id: id as string, attempt: 1 }], { worker })],
  ['job states', (trx, ids) => jobStates(trx, 'mail_jobs', ids)],
  ['find expired', (trx) => findExpired(trx, 'mail_jobs', { lease: '1s' })],
  [
    'rescue',
    (trx) =>
      expiredRows(trx)
        .execute()
        .then(() => rescue(trx, 'mail_jobs', { lease, maxAttempts: 5 })),
  ],
  ['cancel', (trx, ids) => cancelJobs(trx, 'mail_jobs', { ids })],
  ['retry of final jobs', (trx, ids) => retryJobs(trx, 'mail_jobs', { ids })],
  ['reschedule', (trx) => rescheduleJobs(trx, 'mail_jobs', { where: (eb) => eb.lit(true) }, { to: 'tomorrow' })],
  ['delete', (trx) => deleteJobs(trx, 'mail_jobs', { where: (eb) => eb.lit(true) })],
  ['prune', (trx) => pruneJobs(trx, 'mail_jobs', { olderThan: 0 })],
  ['count', (trx) => countJobs(trx, 'mail_jobs', { exact: true })],
  ['inspect', (trx) => inspectJobTable(trx, 'mail_jobs')],
]

test.each(verbs)('%s asks for no lock on the table above ROW EXCLUSIVE', async (_, verb) => {
  const [a] = await claimed(db, 'ada')
  await enqueue(db, 'mail_jobs', { to: 'bob' })
  await rolledBack(db, async (trx) => {
    await verb(trx, [String(a.id)])
    // what a transaction was granted it keeps to its end
    const { rows } = await sql<{ mode: string }>`
      select distinct mode from pg_locks where pid = pg_backend_pid() and relation = 'mail_jobs'::regclass`.execute(trx)
    const modes = rows.map(({ mode }) => mode)
    expect(['AccessShareLock', 'RowShareLock', 'RowExclusiveLock']).toEqual(expect.arrayContaining(modes))
  })
})

test('nobody waits for a transaction that has inserted a row which references a job', async () => {
  await sql`create table sent_mails (job_id uuid references mail_jobs (id))`.execute(db)
  const [a, b, c] = await claimed(db, 'a', 'b', 'c')
  await enqueue(db, 'mail_jobs', { to: 'd' })
  const trx = await db.startTransaction().execute()
  await sql`insert into sent_mails select id from mail_jobs`.execute(trx)
  const impatient = await db.startTransaction().execute()
  await sql`set local lock_timeout = '1s'`.execute(impatient)
  expect(await fetchNextJobs(impatient, 'mail_jobs', { worker, limit: 5 })).toMatchObject([{ to: 'd' }])
  expect(await heartbeat(impatient, 'mail_jobs', [a, b], { worker })).toEqual([a, b])
  for (const skipLocked of [true, false]) {
    const outcome = { ...(skipLocked ? a : b), kind: 'succeeded' } as const
    expect(await settle(impatient, 'mail_jobs', [outcome], { worker, skipLocked })).toEqual([outcome])
  }
  await expiredRows(impatient).where('id', '=', c.id).execute()
  expect(await rescue(impatient, 'mail_jobs', { lease, maxAttempts: 5, only: [c] })).toMatchObject([{ id: c.id }])
  await impatient.commit().execute()
  await trx.rollback().execute()
})
