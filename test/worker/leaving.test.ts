import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobArchive } from 'kysely-jobs/migrate'
import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { telling, untilIdle, weakHandle } from './leaving.js'
import { createMailTables, type MailDatabase, type MailHandler } from './mail-jobs.js'

// Jobs that leave their table when they succeed: what is promised of both, those that are deleted and those that are archived.

interface Database extends MailDatabase {
  mail_jobs_archive: MailDatabase['mail_jobs']
}

const { db, url } = await testDatabase<Database>(async (db) => {
  await createMailTables(db)
  await createJobArchive(db, 'mail_jobs')
})

beforeEach(async () => {
  await sql`truncate mail_jobs, mail_jobs_archive, sent`.execute(db)
})

const rowsOf = (table: 'mail_jobs' | 'mail_jobs_archive') => db.selectFrom(table).selectAll().orderBy('to').execute()

/** The first ends the transaction by which a worker, when it starts, learns that there are any. */
function secondCommit(): (statement: string) => boolean {
  let commits = 0
  return (statement) => statement === 'commit' && ++commits > 1
}

const isDeletion = (statement: string) => statement.startsWith('delete from "public"."mail_jobs"')
const isMove = (statement: string) => /^with "?kysely_jobs_gone/.test(statement)

describe.each([
  { succeeded: 'delete', isLeaving: isDeletion, kept: [] as string[] },
  { succeeded: 'archive', isLeaving: isMove, kept: ['ada', 'bob'] },
] as const)('succeeded: $succeeded', ({ succeeded, isLeaving, kept }) => {
  const worker = (handler: MailHandler, through: Parameters<typeof telling>[0] = db) =>
    telling(through, handler, { succeeded })
  const archived = async () => (await rowsOf('mail_jobs_archive')).map(({ to }) => to)

  test("a job's effects and its leaving commit together, or not at all", async () => {
    await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'rolls back' }])
    const { made, told } = worker(({ to, id }, { attempt, complete }) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('sent').values({ job_id: id, attempt }).execute()
        await complete(trx)
        if (to === 'rolls back') throw new Error('changed my mind')
      }),
    )
    await untilIdle(made)
    expect(told.sort()).toEqual(['retry', 'succeeded', 'succeeded'])
    expect(await rowsOf('mail_jobs')).toMatchObject([{ to: 'rolls back', status: 'job_status_retry' }])
    expect(await archived()).toEqual(kept)
    expect(await db.selectFrom('sent').selectAll().execute()).toHaveLength(2)
  })

  test('an attempt that lost its lease takes nothing away: its completion throws, and its return changes nothing', async () => {
    await enqueue(db, 'mail_jobs', [{ to: 'completes' }, { to: 'returns' }])
    const other = randomUUID()
    const { made, told } = worker(async ({ to, id }, { complete }) => {
      await db.updateTable('mail_jobs').set({ attempts_count: 7, locked_by: other }).where('id', '=', id).execute()
      if (to === 'returns') return
      const completion = db.transaction().execute((trx) => complete(trx))
      await expect(completion).rejects.toMatchObject({ code: 'LEASE_LOST' })
    })
    await untilIdle(made)
    expect(told).toEqual(['lost', 'lost'])
    expect(await rowsOf('mail_jobs')).toMatchObject([1, 2].map(() => ({ attempts_count: 7, locked_by: other })))
    expect(await archived()).toEqual([])
  })

  test.each([
    ['statement', isLeaving],
    ['commit', secondCommit()],
  ])('a success whose reply was cut off is told once, and not as lost: by its %s', async (what, matches) => {
    await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
    const { proxy, through } = await weakHandle(url)
    const complete: MailHandler = (_job, { complete }) => through.transaction().execute((trx) => complete(trx))
    const { made, told, errors } = worker(what === 'commit' ? complete : () => {}, through)
    const cut = proxy.cut('after', matches)
    await untilIdle(made)
    await cut
    if (what === 'statement') expect(errors).toEqual([expect.stringMatching(/^writing \d outcomes: /)])
    expect(told).toEqual(['succeeded', 'succeeded'])
    expect(await rowsOf('mail_jobs')).toEqual([])
    expect(await archived()).toEqual(kept)
  })

  test('a job whose row somebody deleted while it ran is lost', async () => {
    await enqueue(db, 'mail_jobs', { to: 'ada' })
    const { made, told } = worker(async ({ id }) => {
      await db.deleteFrom('mail_jobs').where('id', '=', id).execute()
    })
    await untilIdle(made)
    expect(told).toEqual(['lost'])
    expect(await archived()).toEqual([])
  })
})
