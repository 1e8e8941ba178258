import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sql } from 'kysely'
import { createRunner, enqueue, FatalError, healthHandler, pauseJobs } from 'kysely-jobs'
import { metricsHandler } from 'kysely-jobs/metrics'
import { createJobPauses, createJobTable } from 'kysely-jobs/migrate'
import { Counter, Gauge, Registry } from 'prom-client'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { read } from '../readme/blocks.js'
import { testDatabase } from '../support/database.js'
import { ask, startPrometheus, withoutPrometheus } from '../support/prometheus.js'
import { createMailTables, type MailDatabase, type MailHandler, mailWorker, next } from '../worker/mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(async (database) => {
  await createMailTables(database)
  await createJobPauses(database)
  await createJobTable(database, 'sent_jobs')
})

beforeEach(() => db.deleteFrom('mail_jobs').execute())

const scrape = async (handler: (request: Request) => Promise<Response>) =>
  (await handler(new Request('http://localhost/metrics'))).text()

/** The value of a series, as its line writes it. */
const numberAt = (text: string, series: string) => {
  const line = text.split('\n').find((line) => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}

const outcomes: MailHandler = ({ to }) => {
  if (to === 'retry') throw new Error('busy')
  if (to === 'failed') throw new FatalError('no')
}

test('a scrape has what workers counted, by outcomes, without any listener', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }, { to: 'retry' }, { to: 'failed' }])
  const worker = mailWorker(db, outcomes)
  const metrics = metricsHandler([worker])
  expect(numberAt(await scrape(metrics), 'kysely_jobs_claimed_total{table="mail_jobs"}')).toBe(0)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const text = await scrape(metrics)
  expect(numberAt(text, 'kysely_jobs_claimed_total{table="mail_jobs"}')).toBe(4)
  const ended = (outcome: string) =>
    numberAt(text, `kysely_jobs_attempts_total{table="mail_jobs",outcome="${outcome}"}`)
  expect([ended('succeeded'), ended('retry'), ended('failed'), ended('lost')]).toEqual([2, 1, 1, 0])
  expect(await scrape(metrics)).toContain('kysely_jobs_claimed_total{table="mail_jobs"} 4\n') // and not twice as many
})

test('histograms are cumulative, in seconds, and have the sum and the count of all', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  await sql`update mail_jobs set run_at = now() - interval '90 seconds'`.execute(db)
  const worker = mailWorker(db, outcomes)
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const text = await scrape(metricsHandler([worker]))
  const atMost = (le: string) => numberAt(text, `kysely_jobs_wait_seconds_bucket{le="${le}",table="mail_jobs"}`)
  expect([atMost('65.536'), atMost('131.072'), atMost('+Inf')]).toEqual([0, 2, 2])
  expect(numberAt(text, 'kysely_jobs_wait_seconds_count{table="mail_jobs"}')).toBe(2)
  expect(numberAt(text, 'kysely_jobs_wait_seconds_sum{table="mail_jobs"}')).toBeGreaterThanOrEqual(180)
})

test('with a database it tells what waits in the table, at most every fifteen seconds', async () => {
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  await sql`update mail_jobs set run_at = now() - interval '1 hour' where "to" = 'ada'`.execute(db)
  const worker = mailWorker(db, outcomes)
  const metrics = metricsHandler([worker], { db })
  const due = async () => numberAt(await scrape(metrics), 'kysely_jobs_due{table="mail_jobs"}')
  expect(await due()).toBe(2)
  expect(numberAt(await scrape(metrics), 'kysely_jobs_oldest_due_seconds{table="mail_jobs"}')).toBeGreaterThanOrEqual(
    3_600,
  )
  await enqueue(db, 'mail_jobs', { to: 'eve' })
  expect(await due()).toBe(2)
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 15_001)
  onTestFinished(() => void vi.restoreAllMocks())
  expect(await due()).toBe(3)
})

test('of a table that can not be looked at it says so, and nothing else', async () => {
  const worker = mailWorker(db, outcomes)
  const lost = { table: 'no_jobs', stats: () => worker.stats(), health: () => worker.health() }
  const text = await scrape(metricsHandler([lost], { db }))
  expect(numberAt(text, 'kysely_jobs_table_up{table="no_jobs"}')).toBe(0)
  expect(numberAt(text, 'kysely_jobs_due{table="no_jobs"}')).toBeUndefined()
})

test('it stands beside the metrics of the program, in a registry that is given', async () => {
  const registry = new Registry()
  new Counter({ name: 'orders_total', help: 'orders', registers: [registry] }).inc(3)
  const metrics = metricsHandler([mailWorker(db, outcomes)], { registry })
  const text = await scrape(metrics)
  expect(numberAt(text, 'orders_total')).toBe(3)
  expect(numberAt(text, 'kysely_jobs_alive{table="mail_jobs"}')).toBe(0)
})

test('a registry takes the metrics of one metricsHandler, scraped or not, and of another when it has been cleared', async () => {
  const registry = new Registry()
  const another = () => metricsHandler([mailWorker(db, outcomes)], { registry })
  const metrics = another()
  expect(another).toThrow('registry: it has the metrics of another metricsHandler; give all workers to one')
  await scrape(metrics)
  expect(another).toThrow('give all workers to one')
  registry.clear()
  expect(numberAt(await scrape(another()), 'kysely_jobs_alive{table="mail_jobs"}')).toBe(0)
})

test('scrapes that come at once, the first ones too, all have everything once', async () => {
  const metrics = metricsHandler([mailWorker(db, outcomes)], { db })
  const [first, ...others] = await Promise.all([1, 2, 3].map(() => scrape(metrics)))
  expect(numberAt(first ?? '', 'kysely_jobs_table_up{table="mail_jobs"}')).toBe(1)
  for (const other of others) expect(other).toBe(first)
})

test('a table that is locked hides itself alone, and a stopped worker runs nothing', async () => {
  const locked = mailWorker(db, outcomes)
  const other = { table: 'sent_jobs', stats: () => locked.stats(), health: () => locked.health() }
  await locked.start()
  await locked.stop()
  await db.transaction().execute(async (trx) => {
    await sql`lock table mail_jobs in access exclusive mode`.execute(trx)
    const text = await scrape(metricsHandler([locked, other], { db }))
    expect(numberAt(text, 'kysely_jobs_table_up{table="mail_jobs"}')).toBe(0)
    expect(numberAt(text, 'kysely_jobs_table_up{table="sent_jobs"}')).toBe(1)
    expect(numberAt(text, 'kysely_jobs_concurrency{table="mail_jobs"}')).toBe(0)
  })
})

test('the server of the documentation answers scrapes and probes, and lives through what it can not answer', async () => {
  const registry = new Registry()
  const worker = mailWorker(db, outcomes)
  const runner = createRunner(db, { workers: [worker], logger: { debug() {}, info() {}, warn() {}, error() {} } })
  const [, code = ''] = /(createServer\(async[\s\S]*?)\.listen\(9464\)/.exec(read('docs/telemetry.md')) ?? []
  const make = new Function('createServer', 'metrics', 'health', `return ${code}`)
  const server: Server = make(createServer, metricsHandler(runner, { registry }), healthHandler(runner))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo // it listens
  const answer = async (path: string, method = 'GET') => {
    const asked = request({ port, path, method }).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage] // its only argument
    return [response.statusCode, (await response.toArray()).length > 0]
  }
  expect(await answer('/metrics')).toEqual([200, true])
  expect(await answer('/metrics', 'HEAD')).toEqual([200, false])
  expect(await answer('/live')).toEqual([200, true])
  expect(await answer('/ready')).toEqual([503, true])
  expect(await answer('/metrics', 'TRACE')).toEqual([500, false])
  expect(await answer('/metrics', 'POST')).toEqual([405, false])
  const collect = () => Promise.reject(new Error('the database is away'))
  new Gauge({ name: 'orders', help: 'orders', registers: [registry], collect })
  expect(await answer('/metrics')).toEqual([500, false])
  expect(await answer('/live')).toEqual([200, true])
})

test('the documentation lists every metric', async () => {
  const registry = new Registry()
  await scrape(metricsHandler([mailWorker(db, outcomes)], { registry, db }))
  const rows = read('docs/telemetry.md').match(/^\| `kysely_jobs_.*$/gm) ?? []
  const listed = rows.flatMap((row) => row.split('|')[1]?.match(/kysely_jobs_\w+/g) ?? [])
  expect(listed.toSorted()).toEqual(
    registry
      .getMetricsAsArray()
      .map(({ name }) => name)
      .toSorted(),
  )
})

test('without workers it is refused, and another method than GET too', async () => {
  expect(() => metricsHandler([])).toThrow('metricsHandler: there is no worker; give a runner, or a list of workers')
  const metrics = metricsHandler([mailWorker(db, outcomes)])
  expect((await metrics(new Request('http://localhost/metrics', { method: 'POST' }))).status).toBe(405)
})

test('a paused table is told', async () => {
  await pauseJobs(db, 'mail_jobs')
  onTestFinished(() => sql`delete from job_pauses`.execute(db).then(() => {}))
  const worker = mailWorker(db, outcomes)
  await worker.start()
  expect(numberAt(await scrape(metricsHandler([worker])), 'kysely_jobs_paused{table="mail_jobs"}')).toBe(1)
})

test.skipIf(withoutPrometheus)(
  `a Prometheus scrapes it, and answers every query of the Grafana dashboard ${withoutPrometheus ?? ''}`,
  async () => {
    const open = Promise.withResolvers<void>()
    const handler: MailHandler = (job, context) => (job.to === 'long' ? open.promise : outcomes(job, context))
    const worker = mailWorker(db, handler, { listen: url, limit: { max: 5 } } as object)
    onTestFinished(() => open.resolve())
    const runner = createRunner(db, { workers: [worker], logger: { debug() {}, info() {}, warn() {}, error() {} } })
    const metrics = metricsHandler(runner, { db })
    const server = createServer(async (request, response) => {
      const { status, headers, body } = await metrics(new Request(`http://localhost${request.url}`))
      response.writeHead(status, Object.fromEntries(headers))
      for await (const chunk of body ?? []) response.write(chunk)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    await runner.start()
    onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
    await using prometheus = await startPrometheus((server.address() as AddressInfo).port)
    const first = next(worker, 'failed')
    await enqueue(db, 'mail_jobs', [{ to: 'long' }, { to: 'ada' }, { to: 'retry' }, { to: 'failed' }])
    await first
    const done = async () =>
      (await ask(prometheus, 'sum(kysely_jobs_attempts_total{outcome="succeeded"})'))[0]?.value[1]
    await expect.poll(done).toBe('1')
    const [up] = await ask(prometheus, 'kysely_jobs_listening')
    expect(up?.metric).toMatchObject({ table: 'mail_jobs', job: 'jobs' })
    const dashboard = JSON.parse(read('docs/grafana/kysely-jobs.json')) as {
      panels: { title: string; targets: { expr: string }[] }[]
    }
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
    expect(queries.length).toBeGreaterThan(15)
    for (const query of queries) {
      const filled = query.replaceAll('$table', '.*').replaceAll('$__rate_interval', '5s')
      await expect.poll(async () => (await ask(prometheus, filled)).length, { message: filled }).toBeGreaterThan(0)
    }
  },
)
