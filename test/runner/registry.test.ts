import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { type Kysely, sql } from 'kysely'
import { createRunner, createWorker, enqueue, listRunners, type Runner } from 'kysely-jobs'
import { createJobRunners, createJobTable, createKeyIndexes, dropJobRunners } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Recorder } from '../../src/runner/records/recorder.js'
import { Registrar } from '../../src/runner/records/registrar.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { read } from '../readme/blocks.js'
import { createRole, handleAs } from '../security/roles.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createMailTables, next, quiet } from '../worker/mail-jobs.js'

const database = await testDatabase<any>(async (handle) => {
  await createMailTables(handle)
  await createJobTable(handle, 'tenant_jobs', (table) => table.addColumn('tenant', 'integer', (it) => it.notNull()))
  await createKeyIndexes(handle, 'tenant_jobs', ['tenant'])
})
const { db, url } = database

beforeEach(async () => {
  await createJobRunners(db)
  await sql`truncate job_runners, mail_jobs`.execute(db)
})

/** A runner of the mail jobs, that is stopped when its test ends. */
function mailRunner(handle: Kysely<any> = db, options: Partial<Parameters<typeof createRunner>[1]> = {}): Runner {
  const worker = createWorker(handle, 'mail_jobs', async () => {}, { logger: quiet })
  const runner = createRunner(handle, { workers: [worker], logger: quiet, ...options })
  onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
  return runner
}

/** A process with a runner. */
async function mailProcess(): Promise<ChildProcess> {
  const child = fork(new URL('mail-process.ts', import.meta.url), [url, 'hangs', '5000'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

const listed = async (count: number, handle = db) => {
  await expect.poll(() => listRunners(handle)).toHaveLength(count)
  return listRunners(handle)
}

const age = (by: string) => sql`update job_runners set seen_at = seen_at - ${by}::interval`.execute(db)

test('a runner is listed with its process and its workers while it works, and is not when it has stopped', async () => {
  const limit = { by: 'tenant', max: 2 }
  const where = (eb: any) => eb('tenant', '>', 1)
  const workers = [
    createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, lease: '30s' }),
    createWorker(db, 'tenant_jobs', async () => {}, { logger: quiet, limit, fairBy: 'tenant', where }),
  ]
  workers[0]?.pause()
  const runner = createRunner(db, { workers })
  await runner.start()
  const [found] = await listed(1)
  const { version } = JSON.parse(read('package.json'))
  const versions = { version, nodeVersion: process.version }
  expect(found).toMatchObject({ host: hostname(), pid: process.pid, ...versions, alive: true })
  expect(found?.startedAt).toBeInstanceOf(Date)
  const rest = { schema: 'public', state: 'running', running: 0, listener: 'off', pollInterval: 2000 }
  expect(found?.workers).toMatchObject([
    { ...rest, table: 'mail_jobs', id: workers[0]?.id, concurrency: 16, lease: 30_000, paused: 'worker', where: false },
    { ...rest, table: 'tenant_jobs', lease: 60_000, where: true, keyed: 'limit: 2 by tenant; fair by tenant' },
  ])
  expect(found?.workers[0]).toHaveProperty('keyed', undefined)
  expect(found?.workers[1]).toHaveProperty('paused', undefined)
  await runner.stop()
  expect(await listRunners(db)).toEqual([])
})

test('a runner that is killed is listed, not alive after thirty seconds, and gone after an hour', async () => {
  const [killed] = await Promise.all([mailProcess(), mailProcess()])
  const both = await listed(2)
  expect(new Set(both.map(({ pid }) => pid)).size).toBe(2)
  const gone = once(killed, 'exit')
  killed.kill('SIGKILL')
  await gone
  const dead = async () => (await listRunners(db)).find(({ pid }) => pid === killed.pid)
  expect(await dead()).toMatchObject({ alive: true })
  await age('31 seconds')
  expect(await dead()).toMatchObject({ alive: false })
  await age('58 minutes')
  await mailRunner().start()
  await listed(3)
  await age('2 minutes')
  await mailRunner().start()
  await expect.poll(dead).toBeUndefined()
})

test('one that is written again keeps its start, and what its workers are is that of now', async () => {
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  await worker.start()
  onTestFinished(() => worker.stop().then(() => {}))
  const recorder = new Recorder(jobsOf(db, '').db, [new Registrar([worker])], quiet, { interval: 10 })
  recorder.start()
  const [first] = await listed(1)
  worker.pause()
  await expect.poll(async () => (await listRunners(db))[0]?.workers[0]?.paused).toBe('worker')
  const [later] = await listRunners(db)
  expect(Math.abs(later!.startedAt.getTime() - first!.startedAt.getTime())).toBeLessThan(1000)
  expect(later!.seenAt.getTime()).toBeGreaterThan(first!.seenAt.getTime())
  await recorder.stop()
  expect(await listRunners(db)).toEqual([])
})

test('without the table a runner says nothing, and writes itself down once there is one', async () => {
  await dropJobRunners(db)
  await expect(listRunners(db)).rejects.toThrow('let a migration call createJobRunners(db)')
  const logger = { ...quiet, warn: vi.fn(), error: vi.fn() }
  const registrar = new Registrar([])
  const recorder = new Recorder(jobsOf(db, '').db, [registrar], logger, { interval: 5, lookInterval: 10 })
  recorder.start()
  onTestFinished(() => recorder.stop())
  await mailRunner(db, { logger }).start()
  await createJobRunners(db)
  await listed(1)
  await sql`drop table job_runners`.execute(db)
  await createJobRunners(db)
  await listed(1)
  expect(logger.error).not.toHaveBeenCalled()
})

test('in a schema of its own it is found as the job tables are', async () => {
  await using other = await createTestDatabase<any>()
  await sql`create schema "Queue of ours"`.execute(other.db)
  const inSchema = other.db.withSchema('Queue of ours')
  await createJobRunners(inSchema)
  await createJobTable(inSchema, 'mail_jobs')
  const runner = mailRunner(inSchema)
  await runner.start()
  const [found] = await listed(1, inSchema)
  expect(found?.workers[0]).toMatchObject({ schema: 'Queue of ours', table: 'mail_jobs' })
  await runner.stop()
  expect(await listRunners(inSchema)).toEqual([])
})

test('a role that may not write there says so once, and works', async () => {
  const role = await createRole(database)
  await sql.raw(`grant select, update on mail_jobs to ${role}`).execute(db)
  const logger = { ...quiet, warn: vi.fn() }
  const as = handleAs(database, role)
  const worker = createWorker(as, 'mail_jobs', async () => {}, { logger: quiet })
  const recorder = new Recorder(jobsOf(as, '').db, [new Registrar([worker])], logger, { interval: 5, lookInterval: 1 })
  recorder.start()
  onTestFinished(() => recorder.stop())
  await expect.poll(() => logger.warn.mock.calls.length).toBe(1)
  expect(logger.warn.mock.calls[0]?.[0].error).toContain(
    'grant select, insert, update, delete on "public"."job_runners"',
  )
  const succeeded = next(worker, 'succeeded')
  await worker.start()
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  await worker.stop()
  expect(logger.warn).toHaveBeenCalledOnce()
})

test('while the table is locked a runner works, and stops', async () => {
  const [begun, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const locking = db.transaction().execute(async (trx) => {
    await sql`lock table job_runners in access exclusive mode`.execute(trx)
    begun.resolve()
    await over.promise
  })
  await begun.promise
  const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  const succeeded = next(worker, 'succeeded')
  await runner.start()
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
  expect(await runner.stop({ deadline: '1s' })).toEqual({ left: 0 })
  const recorder = new Recorder(jobsOf(db, '').db, [new Registrar([])], quiet, { limit: 3_600_000 })
  recorder.start()
  await recorder.stop()
  over.resolve()
  await locking
})
