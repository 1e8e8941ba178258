import { Kysely, PostgresDialect, sql } from 'kysely'
import type { WorkerOptions } from 'kysely-jobs'
import { createRunner, enqueue, type HealthReport, healthHandler } from 'kysely-jobs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { createMailTables, type MailDatabase, type MailHandler, mailWorker, next, quiet } from '../worker/mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

const probe = async (handler: (request: Request) => Promise<Response>, path: string) => {
  const response = await handler(new Request(`http://localhost${path}`))
  const { checks } = (await response.json()) as HealthReport
  return { status: response.status, checks }
}

function runner(handler: MailHandler = () => {}, options: WorkerOptions = {}, kysely = db) {
  const worker = mailWorker(kysely, handler, options as object)
  const made = createRunner(kysely, { workers: [worker], logger: quiet, deadline: '100ms' })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return { made, worker, health: healthHandler(made) }
}

/** As if so many milliseconds had passed. */
function later(milliseconds: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + milliseconds)
  onTestFinished(() => void vi.restoreAllMocks())
}

test('a process is live before it has started, ready when it works, and still live but not ready once it stops', async () => {
  const { made, health } = runner(() => {}, { listen: url })
  expect((await probe(health, '/live')).status).toBe(200)
  expect(await probe(health, '/ready')).toMatchObject({
    status: 503,
    checks: { 'mail_jobs: state': { ok: false, why: 'the worker is new' } },
  })
  await made.start()
  await expect.poll(() => made.health().workers[0]?.listener).toBe('listening')
  expect((await probe(health, '/healthz/ready')).status).toBe(200)
  const { checks } = await probe(health, '/ready')
  expect(checks).toMatchObject({
    'mail_jobs: state': { ok: true },
    'mail_jobs: wakeUps': { ok: true, why: 'notifications and polling' },
    'mail_jobs: lease': { ok: true, why: 'none is held' },
    database: { ok: true, why: expect.stringContaining('it answered in') },
  })
  expect((await probe(health, '/live')).status).toBe(200)
  await made.stop()
  expect((await probe(health, '/live')).status).toBe(200)
  expect((await probe(health, '/ready')).checks).toMatchObject({ 'mail_jobs: state': { why: 'the worker is stopped' } })
})

test('liveness asks the database nothing, and readiness once a second at most', async () => {
  const { made, health } = runner()
  const ping = vi.spyOn(made, 'ping')
  await probe(health, '/live')
  expect(ping).not.toHaveBeenCalled()
  await Promise.all([probe(health, '/ready'), probe(health, '/ready')])
  await probe(health, '/ready')
  expect(ping).toHaveBeenCalledTimes(1)
})

test('while the server is away it is not ready, and live: a restart would not help', async () => {
  const proxy = await startProxy(url)
  const pool = quietPool({ connectionString: proxy.url })
  const away = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
  const { made, worker, health } = runner(() => {}, { lease: '1s' }, away)
  await made.start()
  proxy.close()
  await expect.poll(() => worker.health()).toMatchObject({ alive: false, serverAway: true })
  expect(await probe(health, '/live')).toMatchObject({
    status: 200,
    checks: { 'mail_jobs: loop': { why: expect.stringContaining('a restart would not help') } },
  })
  const ready = await probe(health, '/ready')
  expect(ready).toMatchObject({ status: 503, checks: { database: { ok: false } } })
  expect(JSON.stringify(ready.checks)).not.toContain('127.0.0.1')
})

test('fetches that fail for a lease, though the server is there, make it not live', async () => {
  const { made, health } = runner(() => {}, { lease: '1s' })
  await made.start()
  await sql`alter table mail_jobs rename column locked_by to elsewhere`.execute(db)
  onTestFinished(() => sql`alter table mail_jobs rename column elsewhere to locked_by`.execute(db).then(() => {}))
  await expect.poll(async () => (await probe(health, '/live')).status).toBe(503)
  const { checks } = await probe(health, '/live')
  const why = expect.stringContaining('for a lease no fetch has come back')
  expect(checks['mail_jobs: loop']).toMatchObject({ ok: false, why })
})

test('a handler that goes on a lease after its timeout makes it not live', async () => {
  const open = Promise.withResolvers<void>()
  const { made, worker, health } = runner(() => open.promise, { timeout: '20ms', maxAttempts: 1 })
  onTestFinished(() => open.resolve())
  await made.start()
  const timedOut = next(worker, 'timedOut')
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await timedOut
  expect((await probe(health, '/live')).checks['mail_jobs: handlers']).toEqual({ ok: true, why: '1 run' })
  later(60_001)
  expect(await probe(health, '/live')).toMatchObject({
    status: 503,
    checks: { 'mail_jobs: handlers': { ok: false, why: expect.stringContaining('1 of 1 go on') } },
  })
  expect(worker.health().stuck).toBe(1)
  open.resolve()
  await expect.poll(() => worker.health().stuck).toBe(0)
})

test('another path is not found, another method not allowed, and a wrong timeout refused', async () => {
  const { made, health } = runner()
  expect((await health(new Request('http://localhost/'))).status).toBe(404)
  expect((await health(new Request('http://localhost/live', { method: 'POST' }))).status).toBe(405)
  expect(() => healthHandler(made, { timeout: 'soon' as never })).toThrow('timeout: "soon" is not a duration')
})
