import { sql } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import {
  addJobColumns,
  createJobIndexes,
  createJobTable,
  createJobTriggers,
  createKeyIndexes,
  createUniqueIndex,
  dropJobTable,
} from 'kysely-jobs/migrate'
import { inspectJobTable } from 'kysely-jobs/queue'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { calling, posing } from './posing.js'

const { db, url } = await testDatabase(async () => {})
const toWhom = (table: any) => table.addColumn('to', 'text')

async function triggersOf(table: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select pg_get_triggerdef(oid) as text from pg_trigger where tgrelid = ${table}::regclass order by tgname`.execute(
    db,
  )
  return rows.map(({ text }) => text)
}

async function indexesOf(table: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select pg_get_indexdef(indexrelid) as text from pg_index where indrelid = ${table}::regclass and not indisprimary`.execute(
    db,
  )
  return rows.map(({ text }) => text.replace(/^.* INDEX (\w+) ON \S+ USING btree /, '$1 ')).toSorted()
}

/** Has a job of each of these kinds enqueued while a worker listens whose next look is far off. */
async function isTold(table: string, engine: object): Promise<void> {
  const worker = createWorker(db, table, async () => {}, {
    ...{ logger: quiet, listen: url, pollInterval: '1h', lease: '1h', engine, backoff: () => 0 },
  })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const listening = next<{ state: string }>(worker, 'listener', ({ state }) => state === 'listening')
  const idle = next(worker, 'idle')
  await worker.start()
  await Promise.all([listening, idle])
  for (const jobs of [{ to: 'ann' }, [{ to: 'bob' }, { to: 'cec' }]]) {
    const [succeeded, rests] = [next(worker, 'succeeded'), next(worker, 'idle')]
    await enqueue(db, table, jobs as never)
    await Promise.all([succeeded, rests])
  }
}

test('where an engine has no transition tables, inserts are told row by row, by one function, and workers are woken', async () => {
  for (const [name, engine] of [
    ['row_jobs', { triggers: 'row' }],
    ['blind_jobs', { transitionTables: false }],
  ] as const) {
    await createJobTable(db, name, toWhom, { engine })
    const [inserted, updated] = await triggersOf(name)
    expect(inserted).toMatch(/AFTER INSERT .* FOR EACH ROW WHEN .*new\.locked_by IS NULL.* EXECUTE FUNCTION/)
    expect(updated).toMatch(/AFTER UPDATE .* FOR EACH ROW/)
    await isTold(name, engine)
  }
})

test('the form of the trigger changes with the engine when it is made anew', async () => {
  await createJobTable(db, 'moved_jobs', toWhom)
  expect((await triggersOf('moved_jobs'))[0]).toMatch(/REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT/)
  await createJobTriggers(db, 'moved_jobs', { engine: { triggers: 'row' } })
  expect((await triggersOf('moved_jobs'))[0]).toMatch(/FOR EACH ROW/)
  await createJobTriggers(db, 'moved_jobs')
  expect((await triggersOf('moved_jobs'))[0]).toMatch(/FOR EACH STATEMENT/)
})

test.each([{ triggers: 'none' }, { listen: false }] as const)(
  'with %j a table has no triggers, and its advice asks for none',
  async (engine) => {
    const name = 'listen' in engine ? 'deaf_jobs' : 'bare_jobs'
    await createJobTable(db, name, toWhom, { engine })
    expect(await triggersOf(name)).toEqual([])
    const { advice } = await inspectJobTable(db, name, { engine })
    expect(advice).toEqual([expect.stringContaining('so new jobs are found by polling only')])
    expect(advice.join()).not.toContain('createJobTriggers')
    const refused = `"public"."${name}" is on PostgreSQL, which has no`
    await expect(createJobTriggers(db, name, { engine })).rejects.toThrow(refused)
    await expect(createJobTable(db, 'told_jobs', toWhom, { engine, notify: 'trigger' })).rejects.toThrow(
      "leave the triggers out (notify: 'none')",
    )
  },
)

test('where an engine has no enums, a status is a text with a CHECK, and an enum is refused', async () => {
  const engine = { enums: false }
  await createJobTable(db, 'text_jobs', toWhom, { engine })
  expect((await inspectJobTable(db, 'text_jobs')).columns.get('status')).toBe('text')
  await expect(sql`insert into text_jobs (status) values ('nonsense')`.execute(db)).rejects.toMatchObject({
    code: '23514',
  })
  await sql`create table orders (total int)`.execute(db)
  await addJobColumns(db, 'orders', { engine })
  expect((await inspectJobTable(db, 'orders')).columns.get('status')).toBe('text')
  await expect(createJobTable(db, 'enum_jobs', toWhom, { engine, status: 'enum' })).rejects.toThrow(
    "status: 'enum': PostgreSQL has no enums; take 'text'",
  )
})

test('where an engine has no partial indexes, they are over all rows and begin with the status, and jobs run', async () => {
  const engine = { partialIndexes: false }
  await createJobTable(db, 'whole_jobs', toWhom, { engine, columns: ['priority'] })
  expect(await indexesOf('whole_jobs')).toEqual([
    "job_due_whole_jobs (status, (run_at AT TIME ZONE 'UTC'::text))",
    'job_finished_whole_jobs (status, updated_at)',
    'job_ready_whole_jobs (status, priority DESC, run_at)',
    'job_running_whole_jobs (status, locked_by)',
  ])
  const { advice } = await inspectJobTable(db, 'whole_jobs', { engine })
  expect(advice).toEqual([expect.stringContaining('which has no partial indexes')])
  await createKeyIndexes(db, 'whole_jobs', ['to'], { engine })
  expect(await indexesOf('whole_jobs')).toContain('job_key_running_whole_jobs__to ("to")')
  await expect(createUniqueIndex(db, 'whole_jobs', ['to'], { engine })).rejects.toThrow(
    'jobs that have ended would keep new ones out',
  )
  await isTold('whole_jobs', engine)
})

test('where rows are kept otherwise than in a heap, a table has no fillfactor, and its indexes say their order', async () => {
  const statements: string[] = []
  const told = posing<any>(url, {}, (text) => statements.push(text))
  await createJobTable(told, 'spread_jobs', toWhom, { columns: ['priority'], engine: { heap: false } })
  expect(statements.find((text) => text.includes('job_ready_'))).toContain(
    '(priority desc, run_at asc) where status in',
  )
  const { rows } = await sql<{ options: unknown }>`
    select reloptions as options from pg_class where oid = 'spread_jobs'::regclass`.execute(db)
  expect(rows).toEqual([{ options: null }])
})

test('a migration asks the server itself what it can do', async () => {
  const yugabyte = posing<any>(url, calling('PostgreSQL 15.12-YB-2025.2.3.0-b1 on x86_64-pc-linux-gnu'))
  await createJobTable(yugabyte, 'far_jobs', toWhom)
  expect(await triggersOf('far_jobs')).toEqual([]) // LISTEN is off there, unless it is switched on
  await dropJobTable(db, 'far_jobs')
})

test('a migration refuses a server that is none that we know, and takes the word of who names it', async () => {
  const unknown = posing<any>(url, calling('CrateDB 5.10.1'))
  await expect(createJobTable(unknown, 'odd_jobs', toWhom)).rejects.toMatchObject({
    code: 'UNKNOWN_ENGINE',
    message: expect.stringMatching(/^The server calls itself 'CrateDB 5\.10\.1'.*engine: \{ name: 'CrateDB' \}/),
  })
  await createJobTable(unknown, 'odd_jobs', toWhom, { engine: { name: 'CrateDB', triggers: 'row' } })
  expect((await triggersOf('odd_jobs'))[0]).toMatch(/FOR EACH ROW/)
})

test('what can not be said of an engine is refused by migrations', async () => {
  await expect(createJobTable(db, 'x', toWhom, { engine: { listens: true } as never })).rejects.toThrow(
    'engine.listens: nobody asks that of an engine',
  )
  await expect(createJobIndexes(db, 'x', { engine: 'Neon' as never })).rejects.toThrow('engine: "Neon" is invalid')
})

test('ids are in the order of time where the server has a function for that, and random elsewhere', async () => {
  const madeBy = async (handle: typeof db, name: string) => {
    await createJobTable(handle, name, toWhom)
    const { rows } = await sql<{ text: string }>`
      select column_default as text from information_schema.columns where table_name = ${name} and column_name = 'id'`.execute(
      db,
    )
    return rows[0]?.text
  }
  const { rows } = await sql<{ version: number }>`select current_setting('server_version_num')::int as version`.execute(
    db,
  )
  const isNew = (rows[0]?.version ?? 0) >= 180_000
  expect(await madeBy(db, 'new_jobs')).toBe(isNew ? 'uuidv7()' : 'gen_random_uuid()')
  const older = posing<any>(url, { 'pg_catalog.uuidv7()': 'pg_catalog.no_such_function()' })
  expect(await madeBy(older, 'older_jobs')).toBe('gen_random_uuid()')
})
