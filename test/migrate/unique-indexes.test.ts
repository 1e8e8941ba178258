import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import {
  createJobTable,
  createUniqueIndex,
  DuplicateJobsError,
  dropJobTable,
  dropUniqueIndex,
  JobTableOptionError,
} from 'kysely-jobs/migrate'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { indexesOf } from './catalog.js'

const { db } = await testDatabase()

/** A table that is dropped when its test ends. */
async function mailJobs(options: Parameters<typeof createJobTable>[3] = {}, name = 'mail_jobs'): Promise<void> {
  await createJobTable(
    db,
    name,
    (table) => table.addColumn('user_id', 'integer').addColumn('template', 'text'),
    options,
  )
  onTestFinished(() => dropJobTable(db, name))
}

const uniqueOf = async (name = 'mail_jobs') =>
  (await indexesOf(db, name)).filter((index) => /job_(unique|waiting|within)_/.test(index))

const ofUnfinished =
  "btree (user_id, template) WHERE (status = ANY (ARRAY['job_status_not_started'::job_status, 'job_status_retry'::job_status, 'job_status_running'::job_status]))"

test('createJobTable makes the index of each set of columns', async () => {
  await mailJobs({
    unique: [
      ['user_id', 'template'],
      { columns: ['user_id'], whileRunning: 'queue' },
      { columns: ['template'], within: true },
    ],
  })
  expect(await uniqueOf()).toEqual([
    expect.stringContaining('job_unique_mail_jobs__template btree (template) WHERE'),
    `CREATE UNIQUE INDEX job_unique_mail_jobs__user_id__template ${ofUnfinished}`,
    "CREATE UNIQUE INDEX job_waiting_mail_jobs__user_id btree (user_id, status) WHERE ((status = 'job_status_not_started'::job_status) AND (locked_at IS NULL))",
    'CREATE UNIQUE INDEX job_within_mail_jobs__template btree (template, created_at, id)',
  ])
})

test.each([false, true])(
  'an existing table gets it, one that is there stays, a broken one is made anew, and it is dropped (concurrently: %s)',
  async (concurrently) => {
    await mailJobs()
    const make = () => createUniqueIndex(db, 'mail_jobs', ['user_id', 'template'], { within: true, concurrently })
    await make()
    const oids = sql<{ oid: number }>`select 'job_unique_mail_jobs__user_id__template'::regclass::oid::int as oid`
    const [first] = (await oids.execute(db)).rows
    await make()
    expect((await oids.execute(db)).rows).toEqual([first])
    await sql`update pg_index set indisvalid = false where indexrelid = ${first?.oid}`.execute(db)
    await make()
    expect((await oids.execute(db)).rows).not.toEqual([first])
    expect(await uniqueOf()).toHaveLength(2)
    await dropUniqueIndex(db, 'mail_jobs', ['user_id', 'template'], { concurrently })
    expect(await uniqueOf()).toEqual([])
    await dropUniqueIndex(db, 'mail_jobs', ['user_id', 'template'])
  },
)

test.each([
  [{ concurrently: false }, 'several unfinished jobs of the same user_id'],
  [{ concurrently: true }, 'several unfinished jobs of the same user_id'],
  [{ whileRunning: 'queue' }, 'several jobs that no worker has begun of the same user_id'],
] as const)(
  'jobs that are the same already are an error with the remedy, and leave no broken index (%j)',
  async (options, message) => {
    await mailJobs()
    await enqueue(db, 'mail_jobs', [{ user_id: 1 }, { user_id: 1 }, { user_id: 2 }])
    const refused = createUniqueIndex(db, 'mail_jobs', ['user_id'], options)
    await expect(refused).rejects.toThrow(DuplicateJobsError)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow('end all but one of each (cancelJobs), then make the index')
    await expect(refused).rejects.toMatchObject({ code: 'DUPLICATE_JOBS', cause: { code: '23505' } })
    expect(await uniqueOf()).toEqual([])
  },
)

test('a set is counted in one way', async () => {
  await mailJobs({ unique: [['user_id']] })
  const other = createUniqueIndex(db, 'mail_jobs', ['user_id'], { whileRunning: 'queue' })
  await expect(other).rejects.toThrow(
    'mail_jobs has the index "job_unique_mail_jobs__user_id" for these columns, which counts other jobs, and would refuse what this one lets be: drop it first (dropUniqueIndex)',
  )
})

test.each([
  [[], {}, "an array names no columns; give them as an array, as in ['user_id', 'template']"],
  [['user_id', 'user_id'], {}, 'The column user_id is named twice'],
  [['user'], {}, "mail_jobs has no column 'user' to be unique by; its own are 'user_id', 'template'"],
  [['status'], {}, 'status is a column of the queue; jobs are unique by columns of your own'],
  [['user_id'], { within: true, whileRunning: 'queue' }, "within can't go with whileRunning: 'queue'"],
  [['user_id'], { whileRunning: 'wait' }, "whileRunning: 'wait' is none of 'ignore', 'queue'"],
  [['user_id'], { name: 'mine' }, 'There is no option "name" here; there is whileRunning, within, concurrently'],
])('%j with %j is refused, with the reason', async (columns, options, message) => {
  await mailJobs()
  const refused = createUniqueIndex(db, 'mail_jobs', columns, options as object)
  await expect(refused).rejects.toThrow(JobTableOptionError)
  await expect(refused).rejects.toThrow(message)
  expect(await uniqueOf()).toEqual([])
})

test('a created_at without time zone is no clock for within', async () => {
  await mailJobs()
  await sql`alter table mail_jobs alter column created_at type timestamp`.execute(db)
  await expect(createUniqueIndex(db, 'mail_jobs', ['user_id'], { within: true })).rejects.toThrow(
    'within: mail_jobs.created_at is of type timestamp without time zone; it needs a time zone (timestamptz)',
  )
  expect(await uniqueOf()).toEqual([])
})

test('long names, and names that hold the separator, stay apart', async () => {
  const name = `${'a_very_long_name_of_a_table_'.repeat(2)}jobs`
  await mailJobs({ unique: [['user_id', 'template'], ['user_id'], { columns: ['template'], within: true }] }, name)
  const names = (await uniqueOf(name)).map((index) => index.split(' ')[3] ?? '')
  expect(new Set(names).size).toBe(4)
  for (const each of names) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(63)
})
