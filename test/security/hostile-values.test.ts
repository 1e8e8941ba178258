import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import { countJobs, createWorker, enqueue, type WorkerOptions } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs } from 'kysely-jobs/queue'
import { afterEach, describe, expect, test } from 'vitest'
import { generateTypes } from '../../codegen/generated-file.js'
import { columnValue } from '../../src/schema/row.js'
import { compiled } from '../codegen/compiled.js'
import { everyVerb } from '../compat/every-verb.js'
import { testDatabase } from '../support/database.js'
import { next } from '../worker/mail-jobs.js'

const names = ['constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf', 'then']
const { db, pool } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'odd_jobs', (table) =>
    names.reduce((builder, name) => builder.addColumn(name, 'text'), table.addColumn('__proto__', 'jsonb')),
  )
  await createJobTable(handle, 'mail_jobs', (table) => table.addColumn('body', 'jsonb'), { columns: ['result'] })
})

/** A payload as a hostile sender writes it: each key is the object's own, as JSON.parse makes them. */
const hostileText =
  '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "status": "x", "id": 7}'
const hostile = () => JSON.parse(hostileText)

afterEach(() => {
  expect(Object.getPrototypeOf(Object.prototype)).toBeNull()
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
  expect(Reflect.get([], 'polluted')).toBeUndefined()
  expect(Reflect.get(() => {}, 'polluted')).toBeUndefined()
})

/** Runs one job to its end and gives its row. */
async function run(table: string, handler: (job: any) => unknown, as: Kysely<any> = db) {
  const lines: object[] = []
  const keep = (facts: object) => lines.push(facts)
  await using worker = createWorker(as, table, handler, {
    logger: { debug: keep, info: keep, warn: keep, error: keep },
    maxAttempts: 1,
  })
  const ended = Promise.race([next(worker, 'succeeded'), next(worker, 'failed')])
  await worker.start()
  await ended
  return { row: await db.selectFrom(table).selectAll().executeTakeFirstOrThrow(), lines }
}

describe('columns and tables with the names of an object of JavaScript', () => {
  test.each(['odd_jobs'])(
    'every verb works on %s, whose columns are constructor, toString, __proto__ ...',
    async (table) => {
      const payload = (n: number) => ({
        ...Object.fromEntries(names.map((name) => [name, `${name} ${n}`])),
        ...JSON.parse(`{"__proto__": {"n": ${n}}}`),
      })
      await everyVerb(db, table, payload)
    },
  )

  test.each(['constructor', '__proto__', 'toString'])(
    'a table called %s is a job table as any other',
    async (table) => {
      await createJobTable(db, table)
      await everyVerb(db, table, () => ({}))
    },
  )

  test('the generator gives them types', async () => {
    const text = await generateTypes(db, { tables: ['odd_jobs'] })
    for (const column of ['__proto__: Json | null', 'constructor: string | null', 'toString: string | null'])
      expect(text).toContain(`\n  ${column}\n`)
    expect(await compiled({ files: { 'db.ts': text } })).toBe('')
  })

  test('what a jsonb column called __proto__ holds is a value as any other, and no column of the job', async () => {
    const lure = { priority: 9, last_error: 'Lease expired (7 in a row)', max_attempts: 99, maxAttempts: 99 }
    await enqueue(db, 'odd_jobs', JSON.parse(`{"constructor": "first", "__proto__": ${JSON.stringify(lure)}}`))
    const [row] = await fetchNextJobs(db, 'odd_jobs', { worker: crypto.randomUUID(), limit: 1 })
    expect(row?.constructor).toBe('first')
    expect(Object.getOwnPropertyDescriptor(row, '__proto__')?.value).toEqual(lure)
    await db.deleteFrom('odd_jobs').execute()
    // as a driver or plugin leaves the row that assigns to such a key
    for (const name of ['priority', 'max_attempts', 'last_error'] as const)
      expect(columnValue(Object.create(lure), name)).toBeUndefined()
  })
})

describe('a payload that would reach a prototype', () => {
  test('is stored, handed to the handler and given back as a result as it is', async () => {
    await db.deleteFrom('mail_jobs').execute()
    await enqueue(db, 'mail_jobs', { body: hostile() })
    let seen: any
    const { row, lines } = await run('mail_jobs', (job) => {
      seen = job.body
      return job.body
    })
    expect(JSON.stringify(seen)).toBe(JSON.stringify(row.body))
    expect(Object.getOwnPropertyNames(seen).sort()).toEqual(['__proto__', 'constructor', 'id', 'status'])
    expect(Object.getPrototypeOf(seen)).toBe(Object.prototype)
    const { rows } = await sql<{ same: boolean }>`select body = result as same from mail_jobs`.execute(db)
    expect(rows).toEqual([{ same: true }])
    for (const facts of lines) expect(JSON.stringify(facts)).not.toContain('polluted')
  })

  test('passes CamelCasePlugin, which rewrites the keys of nested objects', async () => {
    await db.deleteFrom('mail_jobs').execute()
    const camel = new Kysely<any>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
    await enqueue(camel, 'mailJobs', { body: hostile() })
    const jobs = await fetchNextJobs(camel, 'mailJobs', { worker: crypto.randomUUID(), limit: 1 })
    expect(columnValue(jobs[0] as object, 'attempts_count')).toBe(1)
  })

  test('leaves a readable last_error where it is thrown', async () => {
    await db.deleteFrom('mail_jobs').execute()
    await enqueue(db, 'mail_jobs', { body: hostile() })
    const { row } = await run('mail_jobs', (job) => {
      throw job.body
    })
    expect(row.last_error).toMatch(/^A value that is no error was thrown: \{/)
  })

  test('is refused by enqueue where it is to write a column of the queue, and is no option of a worker', () => {
    expect(() => createWorker(db, 'mail_jobs', () => {}, hostile() as WorkerOptions)).toThrow(
      '__proto__, constructor, status, id: no such option',
    )
    return expect(enqueue(db, 'mail_jobs', hostile())).rejects.toThrow('mail_jobs.status is written by the queue alone')
  })

  test('a status called __proto__ is counted for nobody', async () => {
    await createJobTable(db, 'text_jobs', undefined, { status: 'text' })
    await sql`alter table text_jobs drop constraint text_jobs_status_check`.execute(db)
    await sql`insert into text_jobs (status) values ('__proto__'), ('constructor'), ('job_status_failed')`.execute(db)
    const { statuses } = await countJobs(db, 'text_jobs', { exact: true })
    expect(statuses).toMatchObject({ job_status_failed: 1, job_status_running: 0 })
    expect(Object.getPrototypeOf(statuses)).toBe(Object.prototype)
  })
})

test.each(["'; drop table mail_jobs; --", '$1', '\\', "\\'", '"', '%s %I %L', '{"a":1}', '(1,2)', '-- ', '/*'])(
  'a value and an error that would be SQL (%s) are stored as they are',
  async (text) => {
    await db.deleteFrom('mail_jobs').execute()
    await enqueue(db, 'mail_jobs', { body: JSON.stringify(text) })
    const { row } = await run('mail_jobs', (job) => {
      throw job.body
    })
    expect(row).toMatchObject({ body: text, last_error: text, status: 'job_status_failed' })
  },
)
