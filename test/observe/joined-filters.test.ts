import { sql } from 'kysely'
import { cancelJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { countMatching } from '../../src/observe/count-matching.js'
import { filterText, parseFilter } from '../../src/observe/filter-text.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { selectionOf } from '../../src/observe/selection.js'
import { shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { createRole, handleAs } from '../security/roles.js'
import { testDatabase } from '../support/database.js'
import { plansOf } from '../support/plan.js'

const database = await testDatabase(async (handle) => {
  await sql`
    create schema crm;
    create type crm.plan as enum ('free', 'paid');
    create domain crm.positive as int check (value > 0);
    create table crm."The people" (
      "The id" int primary key, email text, age int, plan crm.plan, since timestamptz, is_vip boolean, seats crm.positive, "Odd ""col" text,
      profile jsonb, secret text)`.execute(handle)
  await createJobTable(handle, 'mail_jobs', (table) =>
    table.addColumn('n', 'integer').addColumn('user_id', 'integer').addColumn('amount', 'integer'),
  )
  await sql`alter table mail_jobs add foreign key (user_id) references crm."The people"`.execute(handle)
})
const { db, pool } = database
await sql`
  insert into crm."The people" values
    (1, 'ada@example.com', 36, 'paid', now() - interval '1 year', true, 2, 'x', '{"town": {"zip": 42}}', 's'),
    (2, 'bob@example.com', 20, 'free', now(), false, 9, null, '{}', 's');
  insert into mail_jobs (n, user_id) values (1, 1), (2, 2), (3, null)`.execute(db)
const view = await jobView(db, 'mail_jobs')

describe('jobs are found by the row that they point to', () => {
  test.each<[text: string, found: number[]]>([
    ['user_id.email=ada@example.com', [1]],
    ['user_id.email!=ada@example.com', [2, 3]],
    ['user_id.email~EXAMPLE', [1, 2]],
    ['user_id.email^=bo', [2]],
    ['user_id.email in ada@example.com,nobody', [1]],
    ['user_id.age>=9', [1, 2]], // as numbers: as texts 36 were less than 9
    ['user_id.age>30', [1]],
    ['user_id.plan>free', [1]],
    ['user_id.since<-1d', [1]],
    ['user_id.is_vip=yes', [1]],
    ['user_id.seats<5', [1]],
    ['user_id."Odd ""col" is empty', [2, 3]],
    ['user_id.profile.town.zip=42.0', [1]],
    ['user_id.profile.town is not empty', [1]],
    ['user_id."The id"=2', [2]],
    ['user_id=2', [2]],
  ])('%s', async (text, found) => {
    const filter = parseFilter(view, text)
    const { jobs } = await findJobs(db, view, { filters: [filter], columns: ['n'] })
    expect(jobs.map(({ values }) => Number(values.get('n')?.text)).toSorted()).toEqual(found)
    expect((await countMatching(db, view, shownStates, [filter])).count).toBe(found.length)
    expect(parseFilter(view, filterText(filter))).toEqual(filter)
  })

  test('and are changed by it', async () => {
    const meant = selectionOf(view, shownStates, [parseFilter(view, 'user_id.email^=bob')])
    expect(await cancelJobs(db, 'mail_jobs', meant)).toHaveLength(1)
    const left = await db.selectFrom('mail_jobs').select('n').where('status', '<>', 'job_status_cancelled').execute()
    expect(left.map(({ n }) => n).toSorted()).toEqual([1, 3])
  })
})

test.each([
  ['user_id.emial=x', 'There is no column emial of The people; did you mean email?'],
  [
    'user_id.age=old',
    'user_id.age: "old" is no value of type integer; give a whole number from -2147483648 to 2147483647',
  ],
  ['user_id.plan=gold', 'give one of free, paid'],
  ['user_id.is_vip>true', "user_id.is_vip: '>' can't be said of a column of type boolean"],
  [
    'user_id.age.x=1',
    'user_id.age.x: user_id.age is of type integer, which has nothing within it: give user_id.age alone',
  ],
  ['amount.email=x', 'amount.email: amount is of type integer, which has nothing within it: give amount alone'],
])('%s is refused', (text, message) => {
  expect(() => parseFilter(view, text)).toThrow(message)
})

test('what a role may not read of the other table is no column to it', async () => {
  const role = await createRole(database)
  await sql.raw(`grant usage on schema crm to ${role}; grant select on mail_jobs to ${role}`).execute(db)
  await sql.raw(`grant select ("The id", email) on crm."The people" to ${role}`).execute(db)
  const reader = handleAs(database, role)
  const narrow = await jobView(reader, 'mail_jobs')
  expect(() => parseFilter(narrow, 'user_id.secret^=s')).toThrow(
    'There is no column secret of The people; there are "The id", email',
  )
  const filters = [parseFilter(narrow, 'user_id.email^=ada')]
  expect((await findJobs(reader, narrow, { filters })).jobs).toHaveLength(1)
})

test('the other table is looked into by its key, however large it is', async () => {
  await sql`
    insert into crm."The people" ("The id", email) select n, 'x' from generate_series(10, 100000) n;
    insert into mail_jobs (user_id, run_at) select 10 + n % 90000, now() + n * interval '1 s' from generate_series(1, 40000) n`.execute(
    db,
  )
  await sql`analyze mail_jobs, crm."The people"`.execute(db)
  const plans = await plansOf(pool, async (handle) => {
    await findJobs(handle, view, { filters: [parseFilter(view, 'user_id.email=nobody')] })
  })
  const touched = plans.filter(({ sql: text }) => text.includes('The people') && text.includes('mail_jobs'))
  expect(touched.length).toBeGreaterThan(0)
  expect(touched.flatMap(({ scans }) => scans)).not.toContain('Seq Scan: The people')
  expect(touched.reduce((all, { buffers }) => all + buffers, 0)).toBeLessThanOrEqual(80_000) // 4 for each of the 10,000 looked at, and each kind
})
