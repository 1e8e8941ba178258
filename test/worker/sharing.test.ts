import { Kysely, type LogEvent, PostgresDialect, sql } from 'kysely'
import { cancelJobs, createWorker, enqueue, type Worker } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

interface Database extends MailDatabase {
  report_jobs: MailDatabase['mail_jobs']
}

const { db, url } = await testDatabase<Database>(async (made) => {
  await createMailTables(made)
  await createJobTable(made, 'report_jobs', (table) => table.addColumn('to', 'text'), { columns: ['priority'] })
})

beforeEach(async () => {
  await db.deleteFrom('mail_jobs').execute()
  await db.deleteFrom('report_jobs').execute()
})

/** A process of its own, as far as sharing goes, and the statements it sends. */
function program() {
  const statements: string[] = []
  const heard = new Set<() => void>()
  const log = ({ query }: LogEvent) => {
    statements.push(query.sql)
    for (const hear of heard) hear()
  }
  const own = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log,
  })
  /** Resolves when so many statements fit. */
  const sent = (fits: (statement: string) => boolean, count: number) =>
    new Promise<void>((resolve) => {
      const hear = () => statements.filter(fits).length >= count && resolve()
      heard.add(hear)
    })
  return { db: own, statements, sent }
}

function ended(worker: Worker<Database, 'mail_jobs'> | Worker<Database, 'report_jobs'>): void {
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
}

const isLook = (statement: string) => statement.includes('coalesce((select true as "expired"')

test('ten workers of a process look for jobs and for expired leases in one statement, all tables together', async () => {
  const { db: own, statements, sent } = program()
  const workers = [
    ...Array.from({ length: 5 }, () => createWorker(own, 'mail_jobs', () => {}, { pollInterval: 100, logger: quiet })),
    ...Array.from({ length: 5 }, () =>
      createWorker(own, 'report_jobs', () => {}, { pollInterval: 100, logger: quiet }),
    ),
  ]
  for (const worker of workers) ended(worker)
  const idle = Promise.all(workers.map((worker) => next(worker, 'idle')))
  await Promise.all(workers.map((worker) => worker.start()))
  await idle
  const before = statements.length
  await sent(isLook, statements.filter(isLook).length + 5)
  const since = statements.slice(before)
  // Nothing else is sent while nothing is due: not one statement for each worker.
  expect(since.filter((statement) => !isLook(statement))).toEqual([])
  expect(since.every((look) => look.match(/as "expired"/g)?.length === 2)).toBe(true)
})

test('a look finds a job that nobody was told of, for whichever table', async () => {
  await sql`alter table report_jobs disable trigger user`.execute(db)
  const { db: own } = program()
  const mail = createWorker(own, 'mail_jobs', () => {}, { pollInterval: 50, logger: quiet })
  const report = createWorker(own, 'report_jobs', () => {}, { pollInterval: '1h', logger: quiet })
  ended(mail)
  ended(report)
  const idle = next(report, 'idle')
  await Promise.all([mail.start(), report.start()])
  await idle
  const succeeded = next(report, 'succeeded')
  await enqueue(db, 'report_jobs', { to: 'ada' })
  await succeeded
})

test('jobs claimed ahead do not wait behind a job that turns out slow: others get them', async () => {
  const slow = Promise.withResolvers<void>()
  await enqueue(db, 'mail_jobs', [...Array.from({ length: 300 }, () => ({ to: 'quick' })), { to: 'slow' }])
  let stuckId = ''
  const first = program()
  const stuck = createWorker(
    first.db,
    'mail_jobs',
    async ({ id, to }) => {
      if (to !== 'slow') return
      stuckId = id
      await slow.promise
    },
    { concurrency: 1, logger: quiet },
  )
  ended(stuck)
  const begun = next(stuck, 'claimed', ({ jobs }: { jobs: { to: string }[] }) => jobs.some(({ to }) => to === 'slow'))
  await stuck.start()
  await begun
  const behind = await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 20 }, () => ({ to: 'behind' })),
  )
  const second = program()
  const other = createWorker(second.db, 'mail_jobs', () => {}, { pollInterval: 50, logger: quiet })
  ended(other)
  await other.start()
  const rest = async () =>
    db.selectFrom('mail_jobs').select('id').where('status', '!=', 'job_status_succeeded').execute()
  while ((await rest()).length > 1) await next(other, 'idle')
  expect(await rest()).toEqual([{ id: stuckId }])
  expect(behind).toHaveLength(20)
  slow.resolve()
})

test('a table that is gone keeps no other of the process from being rescued', async () => {
  await sql`create table gone_jobs (like mail_jobs including all)`.execute(db)
  const { db: own } = program()
  const gone = createWorker(own as Kysely<any>, 'gone_jobs' as never, (() => {}) as never, {
    lease: '1s',
    logger: quiet,
  })
  const mail = createWorker(own, 'mail_jobs', () => {}, { lease: '1s', logger: quiet })
  onTestFinished(() => gone.stop({ deadline: 0 }).then(() => {}))
  ended(mail)
  await Promise.all([gone.start(), mail.start()])
  await sql`drop table gone_jobs`.execute(db)
  const rescued = next(mail, 'rescued')
  await sql`insert into mail_jobs ("to", status, locked_by, locked_at, attempts_count)
    values ('ada', 'job_status_running', gen_random_uuid(), now() - interval '1 hour', 1)`.execute(db)
  await rescued
})

test('a job that is cancelled while it waits behind a slow one is not begun', async () => {
  const slow = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<string>()
  const handled: string[] = []
  const worker = createWorker(
    program().db,
    'mail_jobs',
    async ({ id, to }) => {
      handled.push(to)
      if (to !== 'slow') return
      begun.resolve(id)
      await slow.promise
    },
    { concurrency: 1, listen: url, logger: quiet },
  )
  ended(worker)
  await worker.start()
  await expect.poll(() => worker.health().listener).toBe('listening')
  const names = Array.from({ length: 400 }, (_, n) => (n === 200 ? 'slow' : `quick ${n}`))
  await enqueue(
    db,
    'mail_jobs',
    names.map((to) => ({ to })),
  )
  const id = await begun.promise
  const before = handled.length
  const cancelled = next(worker, 'cancelled')
  await cancelJobs(db, 'mail_jobs', { where: (job) => job('id', '!=', id) })
  await cancelled
  const idle = next(worker, 'idle')
  slow.resolve()
  await idle
  expect(handled.slice(before)).toEqual([])
})
