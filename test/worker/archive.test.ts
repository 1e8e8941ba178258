import { type Kysely, sql } from 'kysely'
import { cancel, createWorker, enqueue, FatalError, snooze, type WorkerOptions } from 'kysely-jobs'
import { createJobArchive } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { telling, untilIdle } from './leaving.js'
import { createMailTables, type MailDatabase, type MailHandler, type MailJob, next } from './mail-jobs.js'

interface Database extends MailDatabase {
  mail_jobs_archive: MailDatabase['mail_jobs']
}

const { db } = await testDatabase<Database>(async (db) => {
  await createMailTables(db)
  await createJobArchive(db, 'mail_jobs')
})

beforeEach(async () => {
  await sql`truncate mail_jobs, mail_jobs_archive, sent`.execute(db)
})

/** A worker that archives what succeeded. */
const worker = (handler: MailHandler, options: WorkerOptions<MailJob> = {}) =>
  telling(db, handler, { succeeded: 'archive', ...options })

const rowsOf = (table: 'mail_jobs' | 'mail_jobs_archive') => db.selectFrom(table).selectAll().orderBy('to').execute()
const live = () => rowsOf('mail_jobs')
const archived = () => rowsOf('mail_jobs_archive')

const endings: Record<string, MailHandler> = {
  cancelled: () => cancel('not wanted'),
  failed: () => Promise.reject(new FatalError('no such address')),
  retry: () => Promise.reject(new Error('busy')),
  snoozed: () => snooze('1h'),
  succeeded: () => {},
  timedOut: (_job, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
}

const finished = ['cancelled', 'failed', 'succeeded', 'timedOut']

test.each([
  [{ succeeded: 'archive' }, ['succeeded']],
  [{ finished: 'archive' }, finished],
  [{ succeeded: 'keep', finished: 'archive' }, ['cancelled', 'failed', 'timedOut']],
  [{ succeeded: 'keep' }, []],
] as const)('a worker with the options %j archives these, as they ended: %j', async (options, expected) => {
  await enqueue(
    db,
    'mail_jobs',
    Object.keys(endings).map((to) => ({ to })),
  )
  const maxAttempts = ({ to }: { to: string }) => (to === 'timedOut' ? 1 : 3)
  const settings = { timeout: 50, maxAttempts, succeeded: undefined, ...options }
  const { made, told } = worker((job, context) => endings[job.to]?.(job, context), settings)
  await untilIdle(made)
  expect(told.sort()).toEqual(Object.keys(endings))
  const rows = await archived()
  expect(rows.map(({ to }) => to)).toEqual(expected)
  expect((await live()).map(({ to }) => to)).toEqual(
    Object.keys(endings).filter((to) => !(expected as readonly string[]).includes(to)),
  )
  const all = [...rows, ...(await live())]
  for (const [to, status, last_error] of [
    ['cancelled', 'job_status_cancelled', 'Cancelled: not wanted'],
    ['failed', 'job_status_failed', expect.stringContaining('no such address')],
    ['succeeded', 'job_status_succeeded', null],
    ['timedOut', 'job_status_timed_out', 'Timeout reached'],
  ]) {
    const ended = { status, last_error, locked_by: null, attempts_count: 1, locked_at: expect.any(Date) }
    expect(all.find((row) => row.to === to)).toMatchObject(ended)
  }
})

test('what a job returns goes to the archive with it', async () => {
  await sql`alter table mail_jobs add column result jsonb, add column finished_at timestamptz`.execute(db)
  await createJobArchive(db, 'mail_jobs')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const { made } = worker(() => ({ pages: 3 }))
  await untilIdle(made)
  expect(await archived()).toMatchObject([{ result: { pages: 3 }, finished_at: expect.any(Date) }])
})

test('a job that another table holds fast stays in its table as succeeded, holds up no other, and it is told', async () => {
  await sql`create table notes (job_id uuid constraint held_fast references mail_jobs)`.execute(db)
  onTestFinished(() => sql`drop table notes`.execute(db).then(() => {}))
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'b', 'noted', 'c'].map((to) => ({ to })),
  )
  const { made, told, errors } = worker(async ({ to, id }) => {
    if (to === 'noted') await sql`insert into notes values (${id})`.execute(db)
  })
  await untilIdle(made)
  expect(told).toEqual(Array(4).fill('succeeded'))
  expect(await live()).toMatchObject([{ to: 'noted', status: 'job_status_succeeded', locked_by: null }])
  expect((await archived()).map(({ to }) => to)).toEqual(['a', 'b', 'c'])
  expect(errors.join('\n')).toContain('"held_fast" on table "notes"')
})

test('a completion that the archive refuses is tried again, and then keeps its row; others go on to the archive', async () => {
  await sql`create table notes (job_id uuid constraint held_fast references mail_jobs)`.execute(db)
  onTestFinished(() => sql`drop table notes`.execute(db).then(() => {}))
  await enqueue(
    db,
    'mail_jobs',
    ['a', 'noted', 'z'].map((to) => ({ to })),
  )
  const complete: MailHandler = ({ to, id }, { complete }) =>
    db.transaction().execute(async (trx) => {
      if (to === 'noted') await sql`insert into notes values (${id})`.execute(trx)
      await complete(trx)
    })
  const { made, told, errors } = worker(complete, { backoff: () => 0 })
  let succeeded = 0
  const all = next(made, 'succeeded', () => ++succeeded === 3)
  await made.start()
  await all
  expect(told.sort()).toEqual(['retry', 'succeeded', 'succeeded', 'succeeded'])
  expect(await live()).toMatchObject([{ to: 'noted', status: 'job_status_succeeded', attempts_count: 2 }])
  expect((await archived()).map(({ to }) => to)).toEqual(['a', 'z'])
  expect(errors.join('\n')).toContain('completing a job; its row is kept')
})

test('no value is left behind: where the table has a new column, jobs stay in it until the archive has it too', async () => {
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop column note cascade`.execute(db)
  })
  const { made, told, errors } = worker(() => {})
  await made.start()
  await sql`alter table mail_jobs add column note text`.execute(db)
  await sql`insert into mail_jobs ("to", note) values ('ada', 'mind this')`.execute(db)
  await next(made, 'succeeded')
  expect(await live()).toMatchObject([{ note: 'mind this', status: 'job_status_succeeded' }])
  await expect
    .poll(() => errors.join('\n'))
    .toMatch(/moving jobs to the archive: .*"mail_jobs_archive" lacks "note": createJobArchive/)
  await createJobArchive(db, 'mail_jobs')
  const { made: another } = worker(() => {})
  await made.stop()
  await sql`insert into mail_jobs ("to", note) values ('bob', 'and this')`.execute(db)
  await untilIdle(another)
  expect(await archived()).toMatchObject([{ to: 'bob', note: 'and this' }])
  expect(told).toEqual(['succeeded'])
})

test('a column that came to both while the worker runs goes along from the next job on', async () => {
  const { made } = worker(() => {})
  await made.start()
  await db.transaction().execute(async (trx) => {
    await sql`alter table mail_jobs add column late text default 'given'`.execute(trx)
    await createJobArchive(trx, 'mail_jobs')
  })
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop column late cascade`.execute(db)
  })
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  expect(await archived()).toMatchObject([{ to: 'ada', late: 'given' }])
})

test('a column that is gone while the worker runs fails no outcome', async () => {
  await sql`alter table mail_jobs add column gone text not null default 'soon'`.execute(db)
  await createJobArchive(db, 'mail_jobs')
  const { made } = worker(() => {})
  await made.start()
  await sql`alter table mail_jobs drop column gone cascade`.execute(db)
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  expect(await archived()).toMatchObject([{ to: 'ada', gone: null }])
})

test('a null that the table allows and the archive does not yet keeps its job in the table', async () => {
  onTestFinished(async () => {
    await sql`alter table mail_jobs alter column "to" set not null`.execute(db)
  })
  const { made, errors } = worker(() => {})
  await made.start()
  await sql`alter table mail_jobs alter column "to" drop not null`.execute(db)
  const succeeded = next(made, 'succeeded')
  await sql`insert into mail_jobs ("to") values (null)`.execute(db)
  await succeeded
  expect(await live()).toMatchObject([{ to: null, status: 'job_status_succeeded' }])
  await expect.poll(() => errors.join('\n')).toContain('has "to" as NOT NULL, the job table has not: createJobArchive')
  await createJobArchive(db, 'mail_jobs')
  await made.stop()
  const { made: another } = worker(() => {})
  await sql`update mail_jobs set status = 'job_status_not_started'`.execute(db)
  await untilIdle(another)
  expect(await archived()).toMatchObject([{ to: null }])
  await sql`delete from mail_jobs`.execute(db)
})

test('a column that gets another type keeps its jobs in the table until the archive has it too', async () => {
  await sql`alter table mail_jobs add column size integer`.execute(db)
  await createJobArchive(db, 'mail_jobs')
  onTestFinished(() => sql`alter table mail_jobs drop column size cascade`.execute(db).then(() => {}))
  const { made, errors } = worker(() => {})
  await made.start()
  await sql`drop view mail_jobs_all`.execute(db)
  await sql`alter table mail_jobs alter column size type text`.execute(db)
  let left = 50
  const all = next(made, 'succeeded', () => --left === 0)
  await sql`insert into mail_jobs ("to", size) select 'ada', 'large' from generate_series(1, 50)`.execute(db)
  await all
  expect(await live()).toHaveLength(50)
  const flaw = 'has "size" as integer, the job table as text: give it that type, in a migration'
  await expect.poll(() => errors.join('\n')).toContain(flaw)
  await expect(worker(() => {}).made.start()).rejects.toThrow(flaw)
  await sql`alter table mail_jobs_archive alter column size type text`.execute(db)
  await createJobArchive(db, 'mail_jobs')
  await sql`update mail_jobs set status = 'job_status_not_started'`.execute(db)
  await made.stop()
  await untilIdle(worker(() => {}).made)
  expect(await archived()).toHaveLength(50)
})

test('an archive that is dropped under a worker fails no outcome', async () => {
  await createJobArchive(db, 'mail_jobs')
  const { made, errors } = worker(() => {})
  await made.start()
  await sql`alter table mail_jobs_archive rename to away`.execute(db)
  onTestFinished(async () => {
    await sql`alter table away rename to mail_jobs_archive`.execute(db)
  })
  const succeeded = next(made, 'succeeded')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  expect(await live()).toMatchObject([{ to: 'ada', status: 'job_status_succeeded' }])
  await expect
    .poll(() => errors.join('\n'))
    .toContain('the archive is gone. Finished jobs stay in their table meanwhile')
})

test('a worker that is to archive refuses to start where it can not, and says what is to be done', async () => {
  await sql`create table plain_jobs (like mail_jobs including all)`.execute(db)
  const start = createWorker(db as Kysely<any>, 'plain_jobs', () => {}, { finished: 'archive' }).start()
  await expect(start).rejects.toThrow(
    "finished: 'archive': plain_jobs has no archive; createJobArchive, in a migration, makes it",
  )
  await sql`alter table mail_jobs add column extra text`.execute(db)
  onTestFinished(async () => {
    await sql`alter table mail_jobs drop column extra cascade`.execute(db)
  })
  await expect(worker(() => {}).made.start()).rejects.toThrow(
    `succeeded: 'archive': "public"."mail_jobs_archive" lacks "extra": createJobArchive, in a migration, mends that`,
  )
})
