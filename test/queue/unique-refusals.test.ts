import { CamelCasePlugin, sql } from 'kysely'
import { EnqueueOptionError, enqueue, HiddenJobError, NewJobError, NoUniqueIndexError } from 'kysely-jobs'
import { createJobTable, createUniqueIndex } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createSyncTables, statuses, unique } from './sync-jobs.js'

const { db } = await testDatabase(createSyncTables) // of no types: what the compiler refuses is tried here
const orders = { shop: 1, resource: 'orders' }

beforeEach(() => db.deleteFrom('sync_jobs').execute())

test.each([
  [{ onConflict: 'ignore' }, 'onConflict needs the option unique: name the columns by which jobs are unique'],
  [{ whileRunning: 'queue' }, 'whileRunning needs the option unique'],
  [{ within: '1h' }, 'within needs the option unique'],
  [{ unique: [] }, "unique: an array names no columns; give them as an array, as in ['user_id', 'template']"],
  [{ unique: 'shop' }, 'unique: "shop" names no columns'],
  [{ unique: [3] }, "unique: 3 is no column's name"],
  [{ unique: ['shop', 'run_at'] }, 'unique: run_at is a column of the queue; jobs are unique by columns of your own'],
  [{ unique: ['lockedBy'] }, 'unique: lockedBy is a column of the queue'],
  [{ unique: ['shop', 'shop'] }, 'unique: shop is named twice'],
  [{ unique, onConflict: 'skip' }, `onConflict: "skip" is none of 'ignore', 'replace', 'keepEarliest', 'error'`],
  [{ unique, whileRunning: 'wait' }, `whileRunning: "wait" is none of 'ignore', 'queue'`],
  [{ unique, within: 0 }, 'within: 0 is no time in which a job could stand'],
  [{ unique, within: '1 hour' }, 'within: "1 hour" is not a duration'],
  [
    { unique, within: '1h', onConflict: 'replace' },
    "within can't go with onConflict: 'replace': within counts jobs that have ended, which can't be changed; 'ignore' and 'error' can",
  ],
  [{ unique, within: '1h', onConflict: 'keepEarliest' }, "within can't go with onConflict: 'keepEarliest'"],
  [
    { unique, within: '1h', whileRunning: 'queue' },
    "within can't go with whileRunning: 'queue': within counts running jobs, so that none can be queued beside them",
  ],
  [{ uniqe: unique, delay: '1h' }, 'uniqe: no such option; there are delay, unique, onConflict, whileRunning, within'],
  ['5m', `The options are "5m"; give an object, as in { delay: '5m' }`],
  [null, 'The options are null'],
])('the options %j are refused, with the reason', async (options, message) => {
  const refused = enqueue(db, 'sync_jobs', orders, options as object)
  await expect(refused).rejects.toThrow(message)
  await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(OPTION|DURATION)$/) })
  expect(await statuses(db, 'sync_jobs')).toEqual([])
})

test.each([
  [{ shop: 1 }, 'sync_jobs.resource: undefined; give a value, as jobs are to be unique by it'],
  [
    { shop: null, resource: 'orders' },
    'sync_jobs.shop: null; give a value, as jobs are to be unique by it: null equals nothing',
  ],
])('a row that lacks a value to be unique by is refused, and the column is named: %j', async (row, message) => {
  const refused = enqueue(db, 'sync_jobs', [orders, row], { unique })
  await expect(refused).rejects.toThrow(NewJobError)
  await expect(refused).rejects.toThrow(message)
  expect(await statuses(db, 'sync_jobs')).toEqual([])
})

test.each([
  [{ unique }, "await createUniqueIndex(db, 'plain_jobs', ['shop', 'resource'])"],
  [{ unique: ['shop'] }, "await createUniqueIndex(db, 'plain_jobs', ['shop'])"],
  [{ unique, onConflict: 'replace' }, "await createUniqueIndex(db, 'plain_jobs', ['shop', 'resource'])"],
  [
    { unique, whileRunning: 'queue' },
    "await createUniqueIndex(db, 'plain_jobs', ['shop', 'resource'], { whileRunning: 'queue' })",
  ],
  [{ unique, within: '1h' }, "await createUniqueIndex(db, 'plain_jobs', ['shop', 'resource'], { within: true })"],
])('without the index for %j the error has the migration that makes it', async (options, migration) => {
  const refused = enqueue(db, 'plain_jobs', orders, options as object)
  await expect(refused).rejects.toThrow(NoUniqueIndexError)
  const names = options.unique.map((name) => `'${name}'`).join(', ')
  await expect(refused).rejects.toThrow(
    `The table "plain_jobs" has no valid index by which jobs are unique by ${names} in this way. A migration makes it: ${migration}; where these columns have the index`,
  )
  await expect(refused).rejects.toMatchObject({ code: 'NO_UNIQUE_INDEX', cause: { code: '42P10' } })
  expect(await statuses(db, 'plain_jobs')).toEqual([])
})

test('an index for other options does not serve', async () => {
  await expect(enqueue(db, 'sync_jobs', orders, { unique, whileRunning: 'queue' })).rejects.toThrow(NoUniqueIndexError)
  await expect(enqueue(db, 'queued_jobs', orders, { unique })).rejects.toThrow(NoUniqueIndexError)
  await expect(enqueue(db, 'queued_jobs', orders, { unique })).rejects.toThrow(
    "createUniqueIndex(db, 'queued_jobs', ['shop', 'resource']); where these columns have the index for whileRunning: 'queue', call dropUniqueIndex(db, 'queued_jobs', ['shop', 'resource']) before",
  )
  await expect(enqueue(db, 'sync_jobs', orders, { unique, within: '1h' })).rejects.toThrow('{ within: true })')
  expect([...(await statuses(db, 'sync_jobs')), ...(await statuses(db, 'queued_jobs'))]).toEqual([])
})

test('an index that within lacks is told of also where a job stands, and nothing is to be inserted', async () => {
  await enqueue(db, 'sync_jobs', orders, { unique })
  await expect(enqueue(db, 'sync_jobs', orders, { unique, within: '1h' })).rejects.toThrow(NoUniqueIndexError)
})

test('a table that is not there is said as ever', async () => {
  await expect(enqueue(db, 'unmade_jobs', orders, { unique })).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
})

test('a job that a policy hides is neither inserted nor found, which is said in place of trying for ever', async () => {
  await sql`create role blind`.execute(db)
  onTestFinished(() => sql`drop owned by blind; drop role blind`.execute(db).then(() => {}))
  await sql`grant select, insert on sync_jobs to blind`.execute(db)
  await sql`alter table sync_jobs enable row level security`.execute(db)
  onTestFinished(() => sql`alter table sync_jobs disable row level security`.execute(db).then(() => {}))
  await sql`create policy none on sync_jobs using (cursor = 'mine') with check (true)`.execute(db)
  onTestFinished(() => sql`drop policy none on sync_jobs`.execute(db).then(() => {}))
  await enqueue(db, 'sync_jobs', orders, { unique })
  const blind = db.transaction().execute(async (trx) => {
    await sql`set local role blind`.execute(trx)
    return enqueue(trx, 'sync_jobs', { ...orders, cursor: 'mine' }, { unique })
  })
  await expect(blind).rejects.toThrow(HiddenJobError)
  await expect(blind).rejects.toMatchObject({
    code: 'HIDDEN_JOB',
    message: expect.stringContaining("'shop', 'resource'"),
  })
})

test('with CamelCasePlugin, with a schema, and with odd names of tables and columns all is the same', async () => {
  await using database = await createTestDatabase({ plugins: [new CamelCasePlugin()] })
  const camel = database.db.withSchema('my shop')
  await sql`create schema "my shop"`.execute(database.db)
  await createJobTable(
    camel,
    'syncJobs',
    (table) =>
      table
        .addColumn('shopId', 'integer')
        .addColumn('a.b c', 'text')
        .addColumn('place', 'text')
        .addColumn('row', 'jsonb'),
    { unique: [{ columns: ['shopId', 'a.b c'], within: true }] },
  )
  await createUniqueIndex(camel, 'syncJobs', ['place'], { whileRunning: 'queue' })
  const rows = [1, 2].map((shopId) => ({ shopId, 'a.b c': 'x', place: `p${shopId}`, row: { someKey: shopId } }))
  const set = ['shopId', 'a.b c'] as const
  const made = await enqueue(camel, 'syncJobs', rows, { unique: set })
  expect(made).toMatchObject(rows.map((job) => ({ isNew: true, job })))
  expect(Object.keys(made[0]?.job ?? {}).filter((name) => /kysely/i.test(name))).toEqual([])
  for (const options of [
    { unique: set },
    { unique: set, onConflict: 'replace' },
    { unique: set, onConflict: 'keepEarliest' },
    { unique: set, within: '1h' },
    { unique: ['place'], whileRunning: 'queue' },
    { unique: ['place'], whileRunning: 'queue', onConflict: 'replace' },
  ] as const) {
    const answer = await enqueue(camel, 'syncJobs', rows, options as object)
    expect(answer as unknown).toMatchObject(
      made.map(({ job: { id } }, n) => ({ isNew: false, job: { ...rows[n], id } })),
    )
    expect(await enqueue(camel, 'syncJobs', rows[0]!, options as object)).toMatchObject({
      isNew: false,
      job: { id: made[0]?.job.id },
    })
  }
  expect(new EnqueueOptionError('')).toBeInstanceOf(TypeError)
})

test('values are the same where Postgres takes them for the same, as numbers, as texts or as SQL', async () => {
  const answer = await enqueue(
    db,
    'sync_jobs',
    [
      { ...orders, shop: '7' },
      { ...orders, shop: 7 },
    ],
    { unique },
  )
  expect(answer.map(({ isNew }) => isNew)).toEqual([true, false])
  const added = await enqueue(db, 'sync_jobs', { resource: 'orders', shop: sql`3 + 4` }, { unique })
  expect(added).toMatchObject({ isNew: false, job: { id: answer[0]?.job.id } })
})

test.each(['repeatable read', 'serializable'] as const)(
  'in a %s transaction a job that it does not see is an error of Postgres (40001)',
  async (level) => {
    for (const onConflict of ['ignore', 'replace', 'keepEarliest', 'error'] as const) {
      await db.deleteFrom('sync_jobs').execute()
      const trx = await db.startTransaction().setIsolationLevel(level).execute()
      await trx.selectFrom('sync_jobs').select('id').execute()
      await enqueue(db, 'sync_jobs', orders, { unique })
      await expect(enqueue(trx, 'sync_jobs', orders, { unique, onConflict })).rejects.toMatchObject({ code: '40001' })
      await trx.rollback().execute()
    }
  },
)

test.each(['uuid', 'bigint', 'int', 'text'] as const)(
  'the id may be of type %s, the status a text, and the table one of another schema',
  async (id) => {
    await using database = await createTestDatabase()
    await sql`create schema billing`.execute(database.db)
    await createJobTable(database.db, 'billing.jobs', (table) => table.addColumn('account', 'integer'), {
      ...{ id, status: 'text', columns: ['priority', 'max_attempts', 'errors', 'started_at', 'finished_at', 'result'] },
      unique: [{ columns: ['account'], within: true }],
    })
    const row = { account: 1, priority: 3, ...(id === 'text' && { id: 'first' }) }
    const account = ['account'] as const
    const { job } = await enqueue(database.db, 'billing.jobs', row, { unique: account, within: '1h' })
    for (const options of [{}, { onConflict: 'replace' }, { onConflict: 'keepEarliest' }, { within: '1h' }] as const) {
      const answer = await enqueue(database.db, 'billing.jobs', { ...row, priority: 5 }, {
        unique: account,
        ...options,
      } as object)
      expect(answer).toMatchObject({ isNew: false, job: { id: job.id } })
    }
    const [stands] = await database.db.selectFrom('billing.jobs').selectAll().execute()
    expect(stands).toMatchObject({ id: job.id, priority: 5 })
  },
)
