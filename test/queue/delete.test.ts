import { CamelCasePlugin, sql } from 'kysely'
import { archiveJobs, deleteJobs, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { finalStatuses, jobStatuses } from 'kysely-jobs/queue'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { age, claimed, createMailJobs, jobs, rolledBack } from './mail-jobs.js'

const { db } = await testDatabase(async (db) => {
  await createMailJobs(db)
  await createJobTable(db, 'kept_jobs', (table) => table.addColumn('to', 'text'), { archive: {} })
})

beforeEach(() => sql`truncate mail_jobs, kept_jobs, kept_jobs_archive cascade`.execute(db))

const every = { where: (eb: any) => eb.lit(true) }

test('deleteJobs deletes pending and final jobs, and leaves running ones to their worker', async () => {
  await db
    .insertInto('mail_jobs')
    .values(jobStatuses.map((status) => ({ to: status, status })))
    .execute()
  expect(await deleteJobs(db, 'mail_jobs', every, { dryRun: true })).toBe(jobStatuses.length - 1)
  const deleted = await deleteJobs(db, 'mail_jobs', every)
  expect(deleted).toHaveLength(jobStatuses.length - 1)
  expect(deleted.refused).toEqual([])
  expect(await jobs(db)).toMatchObject([{ to: 'job_status_running' }])
})

test('a running job is not deleted by its id either', async () => {
  const [running] = await claimed(db, 'ada')
  expect(await deleteJobs(db, 'mail_jobs', { ids: [running.id] })).toEqual([])
  expect(await jobs(db)).toHaveLength(1)
})

/** Jobs of which another table holds some fast. */
async function referenced(count: number, held: readonly number[]): Promise<unknown[]> {
  await sql`create table sent_mails (job_id uuid references mail_jobs (id))`.execute(db)
  onTestFinished(async () => void (await sql`drop table sent_mails`.execute(db)))
  const rows = await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: count }, (_, n) => ({ to: `person ${n}` })),
  )
  const ids = held.map((n) => rows[n]?.id)
  for (const job_id of ids) await db.insertInto('sent_mails').values({ job_id }).execute()
  return ids
}

test('a job that another table references stays, is told with its error, and holds up no other', async () => {
  const held = await referenced(1200, [7, 1100])
  const told: unknown[] = []
  const deleted = await deleteJobs(db, 'mail_jobs', every, { onProgress: (progress) => void told.push(progress) })
  expect(deleted).toHaveLength(1198)
  expect(deleted.refused).toMatchObject(Array(2).fill({ error: { code: '23503', table: 'sent_mails' } }))
  expect(deleted.refused.map(({ id }) => id).toSorted()).toEqual(held.toSorted())
  expect(told.at(-1)).toEqual({ changed: 1198, refused: 2, total: 1200 })
  expect(await jobs(db)).toHaveLength(2)
})

test('in a transaction a refused job does not end it', async () => {
  await referenced(3, [0])
  await rolledBack(db, async (trx) => {
    const deleted = await deleteJobs(trx, 'mail_jobs', every)
    expect([deleted.length, deleted.refused.length]).toEqual([2, 1])
    expect(await jobs(trx)).toHaveLength(1)
  })
  expect(await jobs(db)).toHaveLength(3)
})

/** Two jobs in the archive and one in its table, for each of these people. */
async function archivedFor(...people: string[]): Promise<void> {
  const ended = people.flatMap((to) => Array(2).fill({ to, status: 'job_status_failed' }))
  await db.insertInto('kept_jobs').values(ended).execute()
  await age(db, '1 h', 'kept_jobs')
  expect(await archiveJobs(db, 'kept_jobs', { olderThan: '1m' })).toHaveLength(ended.length)
  await enqueue(
    db,
    'kept_jobs',
    people.map((to) => ({ to })),
  )
}

test('jobs in the archive are deleted with those in the table, and counted by a dry run', async () => {
  await archivedFor('ada', 'ben')
  const ofAda = { where: (eb: any) => eb('to', '=', 'ada') }
  expect(await deleteJobs(db, 'kept_jobs', ofAda, { dryRun: true })).toBe(3)
  const told: unknown[] = []
  expect(await deleteJobs(db, 'kept_jobs', ofAda, { onProgress: (progress) => void told.push(progress) })).toHaveLength(
    3,
  )
  expect(told).toEqual([
    { changed: 1, refused: 0, total: 3 },
    { changed: 3, refused: 0, total: 3 },
  ])
  const left = await db.selectFrom('kept_jobs_all').select('to').execute()
  expect(left).toEqual(Array(3).fill({ to: 'ben' }))
  const [{ id }] = await jobs(db, 'kept_jobs_archive')
  expect(await deleteJobs(db, 'kept_jobs', { ids: [id] })).toEqual([id])
})

test('who may not delete from the archive deletes nothing', async () => {
  const role = `deleter_${process.pid}`
  await sql
    .raw(`create role ${role}; grant select, update, delete on kept_jobs to ${role};
    grant select on kept_jobs_archive to ${role}`)
    .execute(db)
  onTestFinished(async () => void (await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(db)))
  await archivedFor('ada')
  await db.connection().execute(async (connection) => {
    await sql.raw(`set role ${role}`).execute(connection)
    expect(await deleteJobs(connection, 'kept_jobs', every, { dryRun: true })).toBe(3)
    await expect(deleteJobs(connection, 'kept_jobs', every)).rejects.toMatchObject({ code: '42501' })
    await sql`reset role`.execute(connection)
  })
  expect(await jobs(db, 'kept_jobs')).toHaveLength(1)
})

test('conditions are written by the names of the user: CamelCasePlugin, another schema', async () => {
  await sql`create schema post`.execute(db)
  onTestFinished(async () => void (await sql`drop schema post cascade`.execute(db)))
  const there = db.withSchema('post')
  await createJobTable(there, 'letter_jobs', (table) => table.addColumn('user_id', 'integer'), { archive: {} })
  const handle = there.withPlugin(new CamelCasePlugin())
  await enqueue(handle, 'letterJobs', [{ userId: 1 }, { userId: 2 }])
  await db
    .insertInto('post.letter_jobs_archive')
    .values({
      id: crypto.randomUUID(),
      user_id: 1,
      status: finalStatuses[0],
      created_at: new Date(),
      updated_at: new Date(),
      run_at: new Date(),
      attempts_count: 1,
    })
    .execute()
  const mine = { where: (eb: any) => eb('userId', '=', 1) }
  expect(await deleteJobs(handle, 'letterJobs', mine, { dryRun: true })).toBe(2)
  expect(await deleteJobs(handle, 'letterJobs', mine)).toHaveLength(2)
  expect(await there.selectFrom('letter_jobs').select('user_id').execute()).toEqual([{ user_id: 2 }])
})
