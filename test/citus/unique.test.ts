import { enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { spreadDatabase } from './spread.js'

const { db, plain } = await spreadDatabase()
await createJobTable(
  db,
  'queued_jobs',
  (table) =>
    table
      .addColumn('tenant_id', 'integer', (column) => column.notNull())
      .addColumn('note', 'text', (column) => column.notNull()),
  { distributeBy: 'tenant_id', unique: [{ columns: ['tenant_id', 'note'], whileRunning: 'queue' }] },
)

beforeEach(() => plain.deleteFrom('mail_jobs').execute())

const by = { unique: ['tenant_id', 'note'] } as const
const welcome = { tenant_id: 1, note: 'welcome' }

test('a job is unique within its tenant', async () => {
  const first = await enqueue(db, 'mail_jobs', welcome, by)
  const again = await enqueue(db, 'mail_jobs', welcome, by)
  const other = await enqueue(db, 'mail_jobs', { ...welcome, tenant_id: 2 }, by)
  expect([first.isNew, again.isNew, other.isNew]).toEqual([true, false, true])
  expect(again.job.id).toBe(first.job.id)
})

test('several are enqueued together, each once, in the transaction that they are given', async () => {
  await enqueue(db, 'mail_jobs', welcome, by)
  const many = [welcome, { tenant_id: 2, note: 'a' }, { tenant_id: 2, note: 'a' }]
  const found = await db.transaction().execute((trx) => enqueue(trx, 'mail_jobs', many, by))
  expect(found.map(({ isNew }) => isNew)).toEqual([false, true, false])
  expect(await plain.selectFrom('mail_jobs').select('id').execute()).toHaveLength(2)
})

test.each(['replace', 'keepEarliest'] as const)('one that waits is changed: %s', async (onConflict) => {
  const { job } = await enqueue(db, 'mail_jobs', welcome, { ...by, delay: '1h' })
  const { job: changed, isNew } = await enqueue(db, 'mail_jobs', welcome, { ...by, onConflict })
  expect([isNew, changed.id]).toEqual([false, job.id])
  expect(changed.run_at.getTime()).toBeLessThan(job.run_at.getTime())
})

test('one that is found in a transaction does not begin before that has ended', async () => {
  await enqueue(db, 'queued_jobs', { ...welcome, note: 'other' })
  const { job } = await enqueue(db, 'queued_jobs', welcome, { ...by, whileRunning: 'queue' })
  await db.transaction().execute(async (trx) => {
    const found = await enqueue(trx, 'queued_jobs', welcome, { ...by, whileRunning: 'queue' })
    expect([found.isNew, found.job.id]).toEqual([false, job.id])
    const free = plain.selectFrom('queued_jobs').select('note').forNoKeyUpdate().skipLocked()
    expect(await free.execute()).toEqual([{ note: 'other' }])
  })
})

test('unique for a time is refused, with the reason', async () => {
  await expect(enqueue(db, 'mail_jobs', welcome, { ...by, within: '1h' })).rejects.toThrow(
    'within: mail_jobs is distributed over nodes, where jobs can be unique until they have ended, but not for a time; leave it out',
  )
})
