import { Kysely, PostgresDialect, sql } from 'kysely'
import { cancelJobs, deleteJobs, enqueue, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailJobs, jobs, rolledBack } from './mail-jobs.js'

const { db, pool } = await testDatabase(createMailJobs)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const every = { where: (eb: any) => eb.lit(true) }

/** Every bulk verb, with what it is given beside the common options. */
const verbs: [name: string, run: (db: Kysely<any>, selection: any, options?: any) => Promise<any>][] = [
  ['retryJobs', (db, selection, options) => retryJobs(db, 'mail_jobs', selection, options)],
  ['cancelJobs', (db, selection, options) => cancelJobs(db, 'mail_jobs', selection, options)],
  ['deleteJobs', (db, selection, options) => deleteJobs(db, 'mail_jobs', selection, options)],
  [
    'rescheduleJobs',
    (db, selection, options) => rescheduleJobs(db, 'mail_jobs', selection, { delay: '1h', ...options }),
  ],
]

async function waiting(count: number): Promise<void> {
  await sql`insert into mail_jobs ("to") select 'person ' || n from generate_series(1, ${count}::int) n`.execute(db)
}

/** A handle of its own, and the statements that it sends to the table. */
function recorded() {
  const statements: string[] = []
  const log = ({ query }: { query: { sql: string } }) => {
    if (query.sql.includes('"mail_jobs"')) statements.push(query.sql)
  }
  return { db: new Kysely<any>({ dialect: new PostgresDialect({ pool }), log }), statements }
}

describe.each(verbs)('%s', (_name, run) => {
  test('as a dry run tells how many jobs it would change, in one statement, and changes none', async () => {
    await waiting(1500)
    const { db: handle, statements } = recorded()
    const before = await jobs(db)
    const some = { where: (eb: any) => eb('to', '<=', 'person 2') }
    const count = await run(handle, some, { dryRun: true })
    expect(count).toBeGreaterThan(100)
    expect(statements).toHaveLength(1)
    expect(await jobs(db)).toEqual(before)
    expect(await run(db, some)).toHaveLength(count)
    expect(await run(db, { ids: [before[0].id, before[0].id, crypto.randomUUID()] }, { dryRun: true })).toBeLessThan(2)
  })

  test('as a dry run works where nothing may be written', async () => {
    await waiting(3)
    await rolledBack(db, async (trx) => {
      await sql`set transaction read only`.execute(trx)
      expect(await run(trx, every, { dryRun: true })).toBe(3)
    })
  })

  test('tells its progress after each chunk', async () => {
    await waiting(2500)
    const told: unknown[] = []
    await run(db, every, { onProgress: (progress: unknown) => void told.push(progress) })
    const soFar = (changed: number) => ({ changed, refused: 0, total: 2500 })
    expect(told).toEqual([soFar(1000), soFar(2000), soFar(2500)])
  })

  test('goes on where the callback throws or rejects, and the process is warned', async () => {
    await waiting(1001)
    const warned: string[] = []
    const hear = (warning: Error) => warned.push(warning.message)
    process.on('warning', hear)
    onTestFinished(() => void process.off('warning', hear))
    let calls = 0
    const onProgress = () => {
      calls += 1
      if (calls === 1) throw new Error('no bar')
      return Promise.reject(new Error('no bar either'))
    }
    expect(await run(db, every, { onProgress })).toHaveLength(1001)
    await expect.poll(() => warned).toContain('onProgress threw, and the run goes on: no bar either')
    expect(warned).toContain('onProgress threw, and the run goes on: no bar')
  })

  test('stops between chunks when its signal aborts, also while it waits for the callback; what is done stays done', async () => {
    await waiting(2500)
    const controller = new AbortController()
    const changed = await run(db, every, {
      signal: controller.signal,
      onProgress: ({ changed }: { changed: number }) => {
        if (changed < 2000) return undefined
        controller.abort()
        return new Promise(() => {})
      },
    })
    expect(changed).toHaveLength(2000)
    const { rows } = await sql`select count(*)::int from mail_jobs where updated_at = created_at`.execute(db)
    expect(rows).toEqual([{ count: 500 }])
    expect(await run(db, every, { signal: controller.signal })).toEqual([])
  })

  test('waits for the promise of the callback before its next chunk', async () => {
    await waiting(1001)
    const rows = async () =>
      (await sql<{ n: number }>`select count(*)::int as n from mail_jobs where updated_at = created_at`.execute(db))
        .rows[0]?.n
    const seen: unknown[] = []
    await run(db, every, { onProgress: async () => seen.push(await rows()) })
    expect(seen).toEqual([1, 0])
  })

  test.each([
    [{ dryrun: true }, 'dryrun: no such option; there are dryRun, onProgress, signal'],
    [{ dryRun: 'yes' }, 'dryRun: "yes" is invalid; give true or false'],
    [{ dryRun: true, onProgress: () => {} }, 'dryRun: a dry run has no chunks: leave onProgress out'],
    [{ dryRun: true, signal: AbortSignal.abort() }, 'dryRun: a dry run has no chunks: leave signal out'],
    [{ onProgress: 3 }, 'onProgress: 3 is invalid; give a function'],
    [{ signal: new AbortController() }, 'signal: an object is invalid; give an AbortSignal'],
  ])('refuses %j with the reason, and writes nothing', async (options, reason) => {
    await waiting(1)
    const before = await jobs(db)
    await expect(run(db, every, options)).rejects.toMatchObject({
      name: 'BulkOptionError',
      code: 'INVALID_BULK_OPTION',
      message: expect.stringContaining(reason),
    })
    expect(await jobs(db)).toEqual(before)
  })

  test.each([
    [{ ids: [], where: every.where }, 'Which jobs? Give either ids or where, not both'],
    [{}, 'Which jobs? Give { ids: [...] } or { where: (eb) => ... }'],
    [{ ids: 'all' }, 'Which jobs? Give { ids: [...] }'],
  ])('refuses the selection %j', async (selection, reason) => {
    await waiting(1)
    await expect(run(db, selection)).rejects.toThrow(reason)
    await expect(run(db, selection, { dryRun: true })).rejects.toThrow(reason)
    expect(await jobs(db)).toHaveLength(1)
  })

  test('takes a condition with a sub-query over other tables', async () => {
    await sql`create table leavers (name text primary key)`.execute(db)
    onTestFinished(async () => void (await sql`drop table leavers`.execute(db)))
    await sql`insert into leavers values ('ada')`.execute(db)
    const [ada] = await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'ben' }])
    const leaves = {
      where: (eb: any) => eb.exists(eb.selectFrom('leavers').select('name').whereRef('leavers.name', '=', 'job.to')),
    }
    expect(await run(db, leaves, { dryRun: true })).toBe(1)
    const named = { where: (eb: any) => eb('to', 'in', db.selectFrom('leavers').select('name')) }
    expect(await run(db, named, { dryRun: true })).toBe(1)
    const correlated = db.selectFrom('leavers').select('name').where('name', '=', sql.ref('job.to'))
    expect(await run(db, { where: (eb: any) => eb.exists(correlated) }, { dryRun: true })).toBe(1)
    expect(await run(db, leaves)).toEqual([ada?.id])
  })

  test('in a transaction comes and goes with it', async () => {
    await waiting(1100)
    const before = await jobs(db)
    await rolledBack(db, async (trx) => {
      expect(await run(trx, every)).toHaveLength(1100)
    })
    expect(await jobs(db)).toEqual(before)
  })

  test('reads the keys of a large selection in pages', async () => {
    await waiting(3000)
    const rows: number[] = []
    const client = await pool.connect()
    onTestFinished(() => client.release())
    const counting = {
      query: async (text: string, values: unknown[]) => {
        const answer = await client.query(text, values)
        if (text.startsWith('select') && text.includes('"mail_jobs"')) rows.push(answer.rows.length)
        return answer
      },
      release() {},
    }
    const handle = new Kysely<any>({
      dialect: new PostgresDialect({ pool: { ...pool, connect: async () => counting } as never }),
    })
    expect(await run(handle, every)).toHaveLength(3000)
    expect(rows).toEqual([3])
  })
})
