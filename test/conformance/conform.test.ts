import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { promises } from '../../src/conformance/promises/all.js'
import { testDatabase } from '../support/database.js'
import { allHold, everything, runSuite, verdicts } from './suite.js'

const { db, url, name } = await testDatabase()

/** Whom the server still has, beside those who ask. */
async function others(): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::int from pg_stat_activity
    where datname = ${name} and application_name <> '' and pid <> pg_backend_pid()`.execute(db)
  return rows[0]?.count ?? 0
}

test('on Postgres all promises hold, and nothing is left behind', async () => {
  const before = await everything(url)
  const found = await runSuite(url)
  expect(verdicts(found)).toEqual(allHold)
  expect(found).toMatchObject({
    isStopped: false,
    home: { engine: { name: 'PostgreSQL' }, placement: { kind: 'local' } },
  })
  expect(await everything(url)).toEqual(before)
  await expect.poll(others).toBe(0)
})

test('stopped midway, it leaves nothing behind, and tells what it has found', async () => {
  const before = await everything(url)
  const stop = new AbortController()
  const [first, second, third] = promises
  const run = () => {
    stop.abort()
    return new Promise<never>(() => {})
  }
  const stopped = [first!, { ...second!, run }, third!]
  const found = await runSuite(url, { promises: stopped, signal: stop.signal })
  expect(found.isStopped).toBe(true)
  expect(verdicts(found)).toEqual({ enqueue: 'holds' })
  expect(await everything(url)).toEqual(before)
})

test('a promise that never comes to an end is broken, with what it waited for, and the others are tried in another schema', async () => {
  const before = await everything(url)
  const { judged } = await db.connection().execute(async (holder) => {
    await sql`select pg_advisory_lock(1)`.execute(holder)
    const found = await runSuite(url, {
      only: ['fence', 'settle', 'count'],
      patience: 1_500,
      // the table stays locked by a settle that waits for what is never let go
      rewrite: (text) =>
        /^update .*'job_status_succeeded'/.test(text)
          ? text.replace('where', 'where pg_advisory_xact_lock(1) is not null and')
          : text,
    })
    await sql`select pg_advisory_unlock(1)`.execute(holder)
    return found
  })
  expect(judged.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['fence', 'holds'],
    ['settle', 'broken'],
    ['count', 'holds'],
  ])
  expect(judged[1]?.reason).toBe('nothing came of it within 1.5 s; it waited for a settle')
  expect(await everything(url)).toEqual(before)
})

test('where no schema can be made, it says why, and nothing is left', async () => {
  const before = await everything(url)
  const refuse = (text: string) => (text.startsWith('create table') ? 'create table pg_catalog.mine ()' : text)
  await expect(runSuite(url, { rewrite: refuse })).rejects.toMatchObject({ code: '42501' })
  expect(await everything(url)).toEqual(before)
})

test('a schema that can not be dropped is told', async () => {
  const keep = (text: string) => (text.startsWith('drop schema') ? 'drop schema pg_catalog' : text)
  const { left, judged } = await runSuite(url, { only: ['count'], rewrite: keep })
  expect(judged).toMatchObject([{ verdict: 'holds' }])
  expect(left).toEqual([
    { schema: expect.stringMatching(/^kysely_jobs_conformance_\w{8}$/), reason: expect.stringMatching(/pg_catalog/) },
  ])
  await db.schema
    .dropSchema(left[0]?.schema ?? '')
    .cascade()
    .execute()
})

test("a type of the user's that lacks a status is left alone", async () => {
  await sql`create type job_status as enum ('job_status_not_started', 'job_status_running', 'job_status_failed',
    'job_status_timed_out', 'job_status_succeeded', 'job_status_retry')`.execute(db)
  const before = await everything(url)
  expect(verdicts(await runSuite(url, { only: ['settle', 'cancel'] }))).toEqual({ settle: 'holds', cancel: 'holds' })
  expect(await everything(url)).toEqual(before)
  await sql`drop type job_status`.execute(db)
})

/** Each a fault in the product, and of the promise that it breaks what is said then. */
const faults: [promise: string, fault: (text: string) => string, said: RegExp][] = [
  [
    'claim',
    (text) => text.replace(' for no key update skip locked', ''),
    /claims of 400 jobs by six at once: expected 400, saw \d+/,
  ],
  [
    'fence',
    (text) =>
      text
        .replace(/"locked_by" = any\((\$\d+)\)/, '$1::uuid[] is not null')
        .replace(/"attempts_count" = (\$\d+)/, '$1::int is not null'),
    /outcomes that were written by a lost lease: expected 0, saw 1/,
  ],
  ['unique', (text) => text.replace('create unique index', 'create index'), /index/],
  [
    'wake',
    (text) => (/^create (or replace )?trigger/.test(text) ? 'select' : text),
    /waited for a notification that wakes the worker/,
  ],
  [
    'plans',
    (text) => (text.includes('"job_ready_') && text.startsWith('create index') ? 'select' : text),
    /read as a whole|touches/,
  ],
  ['complete', (text) => (text === 'rollback' ? 'commit' : text), /expected .*"rolls back":"job_status_failed"/],
]

test.each(faults)('a fault breaks the promise %s, and the suite says so', async (promise, rewrite, said) => {
  const { judged } = await runSuite(url, { only: [promise], rewrite, patience: 6_000 })
  expect(judged).toMatchObject([{ name: promise, verdict: 'broken', reason: expect.stringMatching(said) }])
})
