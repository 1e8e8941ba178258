import { Kysely, type LogEvent, PostgresDialect } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const isFetch = (statement: string) => statement.includes('skip locked') && statement.includes('job_status_running')
const isFromHorizon = (statement: string) => isFetch(statement) && statement.includes('"run_at" >= ')

/** A backlog of so many jobs, due one after the other; a worker that works it off, and what it sends. */
async function backlog(count: number) {
  const start = Date.now() - 3_600_000
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: count }, (_, n) => ({
      to: `mail ${n}`,
      run_at: new Date(start + n),
    })),
  )
  const statements: string[] = []
  const log = ({ query }: LogEvent) => void statements.push(query.sql)
  const pool = quietPool({ connectionString: url })
  const own = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }), log })
  const done: string[] = []
  const worker = createWorker(own, 'mail_jobs', (job) => void done.push(job.to), { logger: quiet, concurrency: 10 })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  return { worker, statements, done }
}

test('a backlog is worked off from where the last fetch ended, so that what is dead before it is not read again', async () => {
  const { worker, statements, done } = await backlog(4_000)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  expect(new Set(done).size).toBe(4_000)
  expect(done).toHaveLength(4_000)
  expect(statements.some(isFromHorizon)).toBe(true)
})

test('a worker rests only when nothing is due from the beginning either', async () => {
  const { worker, statements, done } = await backlog(4_000)
  const held = await db.startTransaction().execute()
  await held.selectFrom('mail_jobs').select('id').orderBy('run_at').limit(1).forUpdate().execute()
  const idle = next(worker, 'idle')
  const rest = new Promise<void>((resolve) => worker.on('succeeded', () => done.length === 3_999 && resolve()))
  await worker.start()
  await rest
  await held.rollback().execute()
  await idle
  expect(done.at(-1)).toBe('mail 0')
  expect(isFromHorizon(statements.findLast(isFetch) ?? '')).toBe(false)
})
