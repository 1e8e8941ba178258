import { sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { testDatabase } from '../support/database.js'
import { compiled } from './compiled.js'

const { db } = await testDatabase(async (db) => {
  await sql`create schema billing`.execute(db)
  await createJobTable(db, 'mail_jobs', (table) =>
    table.addColumn('to', 'text', (column) => column.notNull()).addColumn('tags', sql`text[]`),
  )
  await createJobTable(
    db,
    'billing.invoice_jobs',
    (table) => table.addColumn('payload', 'jsonb', (column) => column.notNull()),
    { id: 'bigint', status: 'text', columns: ['priority', 'max_attempts', 'result', 'errors'] },
  )
  await sql
    .raw(`
    create domain mood_name as text not null;
    create type mood as enum ('sad', 'it''s "ok"');
    create table json (id int generated always as identity primary key, timestamp timestamptz not null, "a */ b" mood);
    create table "drop table users; --" ("it's" int not null, "🧾" point not null, "\\" mood[] not null);
    create table people (
      id uuid primary key default gen_random_uuid(), mood mood_name, born date not null, photo bytea, visits bigint[],
      worth numeric[], beat interval, place circle, extra json, moods mood[], spans interval[]);
    comment on table people is '*/ nonsense';
    create view adults as select id, mood from people`)
    .execute(db)
})

const program = `
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely'
import type { DB, Generated, Int8, Json, Timestamp, JsonValue } from './db.js'

declare const db: Kysely<DB>
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function holds<Claim extends true>(): Claim
holds<Equal<JobTableName<DB>, 'mail_jobs' | 'billing.invoice_jobs'>>()

createWorker(db, 'mail_jobs', async (job) => {
  const status: 'job_status_running' | 'job_status_cancelled' | undefined =
    job.status === 'job_status_running' ? job.status : undefined
  const due: Date = job.run_at
  const to: string = job.to.toUpperCase() + job.tags?.join() + status + due
}, { concurrency: 2 })
createWorker(db, 'billing.invoice_jobs', async (job) => {
  const id: string = job.id
  return { total: [1, id] }
}, { maxAttempts: 3 })
holds<Equal<Job<DB, 'billing.invoice_jobs'>['payload'], JsonValue>>()

await enqueue(db, 'mail_jobs', { to: 'ada', tags: ['a'] }, { delay: '1h' })
await enqueue(db, 'mail_jobs', [{ to: 'ada', run_at: new Date() }, { to: 'bob', run_at: '2026-01-01', tags: null }])
await enqueue(db, 'billing.invoice_jobs', { payload: { amount: [1, 'x', null] }, priority: 3 })
await db.transaction().execute((trx) => enqueue(trx, 'billing.invoice_jobs', { id: 7n, payload: '[]' }))
await db.insertInto('mail_jobs').values({ to: 'ada' }).execute()
// @ts-expect-error the payload is not null
await enqueue(db, 'mail_jobs', {})
// @ts-expect-error an array as JSON has to be a text, or Postgres gets an array of its own
await enqueue(db, 'billing.invoice_jobs', { payload: [1] })
// @ts-expect-error no job table
createWorker(db, 'people', async () => {})

await db.insertInto('json').values({ timestamp: new Date(), 'a */ b': 'it\\'s "ok"' }).execute()
// @ts-expect-error Postgres refuses a value
await db.insertInto('json').values({ id: 1, timestamp: new Date() }).execute()
// @ts-expect-error no value of the enum
await db.insertInto('json').values({ timestamp: new Date(), 'a */ b': 'glad' }).execute()
await db.insertInto('drop table users; --').values({ "it's": 1, '🧾': '(1,2)', '\\\\': ['sad'] }).execute()
// @ts-expect-error an object would be sent as JSON
await db.insertInto('drop table users; --').values({ "it's": 1, '🧾': { x: 1, y: 2 }, '\\\\': '{sad}' }).execute()

const person = await db.selectFrom('people').selectAll().executeTakeFirstOrThrow()
holds<Equal<typeof person, Selectable<DB['people']>>>()
const [bytes, visit, worth, days]: [number | undefined, string | undefined, number | undefined, number | undefined] =
  [person.photo?.length, person.visits?.[0], person.worth?.[0], person.beat?.days]
const born: number = person.born.getTime() + (person.place?.radius ?? 0) + (person.spans?.[0]?.hours ?? 0)
const moods: string | null = person.moods
const added: Insertable<DB['people']> = { mood: 'sad', born: '2000-01-01', visits: [1, '2', 3n], extra: { a: [null] } }
const changed: Updateable<DB['people']> = { worth: ['1.5', 2], beat: '1 day', moods: ['sad'], place: '<(1,2),3>' }
await db.updateTable('people').set(changed).where('id', '=', person.id).execute()
export { added, born, bytes, days, moods, visit, worth }
export type Reexported = [Generated<Int8>, Json, Timestamp]
`

// the oldest and the newest that we promise
describe.for(['typescript-5.4', 'typescript'] as const)('with %s', (compiler) => {
  test.for([true, false])(
    'and exactOptionalPropertyTypes %s, a program on generated types compiles',
    async (exactOptionalPropertyTypes) => {
      const files = { 'db.ts': await generateTypes(db), 'program.ts': program }
      expect(await compiled({ files, compiler, exactOptionalPropertyTypes })).toBe('')
    },
  )
})
