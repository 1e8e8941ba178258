import { type Kysely, type KyselyPlugin, PostgresDialect, type QueryId, sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, heartbeat, jobStates, nextDueAt, rescue, settle } from 'kysely-jobs/queue'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { pollTables } from '../../src/queue/poll.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { everyVerb } from '../compat/every-verb.js'
import { createTestDatabase, quietPool } from '../support/database.js'
import { createMailJobs, worker } from './mail-jobs.js'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** What a session may be set to. */
const settings = [
  ['array_nulls', 'off'],
  ['DateStyle', 'German'],
  ['IntervalStyle', 'iso_8601'],
  ['extra_float_digits', '-15'],
  ['TimeZone', 'Africa/Monrovia'],
  ['default_transaction_isolation', 'serializable'],
  ['search_path', ''],
  ['bytea_output', 'escape'],
  ['quote_all_identifiers', 'on'],
  ['transform_null_equals', 'on'],
  ['plan_cache_mode', 'force_generic_plan'],
  ['xmloption', 'document'],
] as const

test.each(settings)('outcomes of every kind are written where a session says %s = %j', async (name, value) => {
  await using database = await createTestDatabase()
  await createMailJobs(database.db)
  await using strange = await connected(database.url, (client) =>
    client.query(`select set_config('${name}', '${value}', false)`),
  )
  const { db } = strange
  const table = 'public.mail_jobs'
  await enqueue(
    db,
    table,
    [1, 2, 3, 4].map((n) => ({ to: `person ${n}` })),
  )
  expect(await nextDueAt(db, table, { columns: ['priority'] })).toBeLessThanOrEqual(0)
  const claimed = await fetchNextJobs(db, table, { worker, limit: 4, columns: ['priority'] })
  const [a, b, c, d] = claimed.map(({ id, attempts_count }) => ({ id, attempt: attempts_count })) as [
    any,
    any,
    any,
    any,
  ]
  const outcomes = [
    { ...a, kind: 'succeeded', result: { sent: null } },
    { ...b, kind: 'succeeded' },
    { ...c, kind: 'retry', error: 'NULL', delay: 3_600_000 },
    { ...d, kind: 'retry', error: '' },
  ]
  const columns = ['result', 'errors', 'finished_at'] as const
  expect(await heartbeat(db, table, [a, { ...b, attempt: 9 }], { worker })).toEqual([a])
  expect(
    await settle(db, table, outcomes, {
      worker,
      columns,
      backoff: { delay: 60_000, factor: 1, max: 60_000, jitter: 0 },
    }),
  ).toHaveLength(4)
  const { rows } = await sql<{ result: unknown; last_error: string | null; due: number | null }>`
    select result::text, last_error, case when status = 'job_status_retry' then round(extract(epoch from run_at - now()) / 60)::int end as due
    from mail_jobs order by array_position(${[a.id, b.id, c.id, d.id]}, id)`.execute(database.db)
  expect(rows).toEqual([
    { result: '{"sent": null}', last_error: null, due: null },
    { result: null, last_error: null, due: null },
    { result: null, last_error: 'NULL', due: 60 },
    { result: null, last_error: '', due: 1 },
  ])
  const due = await nextDueAt(db, table)
  expect(due).toBeGreaterThan(50_000)
  expect(due).toBeLessThanOrEqual(60_000)
  await sql`update mail_jobs set status = 'job_status_running', locked_by = ${worker}, locked_at = '-infinity' where id = ${a.id}`.execute(
    database.db,
  )
  expect(await rescue(db, table, { lease: '1m', maxAttempts: 5 })).toEqual([
    { id: a.id, attempt: 1, status: 'job_status_retry' },
  ])
})

/** A handle whose every connection was told something at its beginning, and whose types may be parsed in another way. */
async function connected(url: string, tell: (client: pg.PoolClient) => unknown, types?: pg.CustomTypesConfig) {
  const pool = quietPool({ connectionString: url, max: 4, onConnect: tell, ...(types && { types }) } as pg.PoolConfig)
  const { Kysely } = await import('kysely')
  const db: Kysely<any> = new Kysely({ dialect: new PostgresDialect({ pool }) })
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}

/** What a driver may make of a value: nothing that is of use as a number, a text or a truth. */
class Odd {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  get inside() {
    return this.#text
  }
}

test('what a driver makes of types does not reach what the queue reads for itself', async () => {
  await using database = await createTestDatabase()
  await createMailJobs(database.db)
  const { builtins } = pg.types
  /** All but what the types of a job's row promise: ids and holders are texts, attempts numbers. */
  const promised: readonly number[] = [builtins.UUID, builtins.INT4]
  const parser = (oid: number) => {
    const known: readonly number[] = Object.values(builtins)
    return known.includes(oid) && !promised.includes(oid)
      ? (text: string) => new Odd(text)
      : pg.types.getTypeParser(oid)
  }
  await using strange = await connected(database.url, () => {}, { getTypeParser: parser as never })
  const { db } = strange
  await enqueue(db, 'mail_jobs', { to: 'later' }, { delay: '1h' })
  expect(await nextDueAt(db, 'mail_jobs')).toBeGreaterThan(3_500_000)
  const claim = { columns: ['priority'] }
  const [seen] = await pollTables([{ jobs: jobsOf(db, 'mail_jobs'), lease: '1m', claim }])
  expect(seen).toEqual({ due: expect.any(Number), expired: false, lost: false, pauses: null })
  const done: unknown[] = []
  const made = createWorker(db, 'mail_jobs', async (job) => void done.push(job), {
    logger: quiet,
    pollInterval: '50ms',
  })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  await made.start()
  const { id } = await enqueue(db, 'mail_jobs', { to: 'now' })
  await expect
    .poll(() => jobStates(db, 'mail_jobs', [id]), { timeout: 10_000 })
    .toMatchObject([{ id, status: 'job_status_succeeded', attempt: 1 }])
  expect(done).toMatchObject([{ id, to: expect.any(Odd) }])
})

/** As the plugins that Kysely documents: what transformQuery learned is found again by the query's id. */
class Remembering implements KyselyPlugin {
  readonly known = new WeakMap<QueryId, true>()
  readonly unknown: unknown[] = []

  transformQuery({ node, queryId }: Parameters<KyselyPlugin['transformQuery']>[0]) {
    this.known.set(queryId, true)
    return node
  }

  async transformResult({ result, queryId }: Parameters<KyselyPlugin['transformResult']>[0]) {
    if (!this.known.delete(queryId)) this.unknown.push(result)
    return result
  }
}

test('a plugin that keeps what it learns by the id of a query finds it for every result that it sees', async () => {
  const plugin = new Remembering()
  await using database = await createTestDatabase({ plugins: [plugin] })
  await createJobTable(database.db, 'mail_jobs', (table) => table.addColumn('to', 'text'), { columns: ['priority'] })
  await everyVerb(database.db, 'mail_jobs', (n) => ({ to: `person ${n}` }))
  expect(plugin.unknown).toEqual([])
})
