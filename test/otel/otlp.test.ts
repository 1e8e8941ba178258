import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { enqueue } from 'kysely-jobs'
import { instrument } from 'kysely-jobs/otel'
import { expect, onTestFinished, test } from 'vitest'
import { blocksIn, read } from '../readme/blocks.js'
import { userProject } from '../readme/user-project.js'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'
import { createMailTables, type MailDatabase, mailWorker, next } from '../worker/mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

/** What a collector gets, by the path to which it was sent. */
async function receiver() {
  const bodies: { path: string; body: string }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    bodies.push({ path: request.url ?? '', body: Buffer.concat(chunks).toString() })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('spans and metrics reach a collector over OTLP', async () => {
  const { bodies, url: collector } = await receiver()
  const traces = new OTLPTraceExporter({ url: `${collector}/v1/traces` })
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: traces })] })
  const exporter = new OTLPMetricExporter({ url: `${collector}/v1/metrics` })
  const meterProvider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] })
  await enqueue(db, 'mail_jobs', [{ to: 'ada' }, { to: 'bob' }])
  const worker = mailWorker(db, () => {})
  instrument([worker], { tracerProvider, meterProvider, db })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await worker.stop()
  await tracerProvider.forceFlush()
  await meterProvider.forceFlush()
  const sent = (path: string) => bodies.filter((each) => each.path === path).map(({ body }) => JSON.parse(body))
  const spans = sent('/v1/traces').flatMap(({ resourceSpans }) => resourceSpans[0].scopeSpans[0].spans)
  const count = (name: string) => spans.filter((span: { name: string }) => span.name === name).length
  expect([count('process mail_jobs'), count('receive mail_jobs') > 0, count('settle mail_jobs') > 0]).toEqual([
    2,
    true,
    true,
  ])
  const names = sent('/v1/metrics').flatMap(({ resourceMetrics }) =>
    resourceMetrics[0].scopeMetrics[0].metrics.map(({ name }: { name: string }) => name),
  )
  expect(names).toEqual(
    expect.arrayContaining([
      ...['messaging.client.operation.duration', 'messaging.client.consumed.messages', 'messaging.process.duration'],
      ...['kysely_jobs.wait', 'kysely_jobs.due', 'kysely_jobs.oldest_due', 'kysely_jobs.attempts', 'kysely_jobs.alive'],
    ]),
  )
  await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()])
})

test('telemetry.ts of the page starts an SDK, whose spans and metrics reach the collector that the environment names', async () => {
  const { bodies, url: collector } = await receiver()
  const [start] = blocksIn('ts', 'docs/telemetry.md').filter(({ name }) => name === 'telemetry.ts')
  const main = `
import { stopTelemetry } from './telemetry.ts'
import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool } from 'kysely-jobs'
import { instrument, tracedEnqueue } from 'kysely-jobs/otel'
import pg from 'pg'
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 })) }) })
const runner = createRunner(db, { workers: [createWorker(db, 'mail_jobs', () => {})] })
const { stop } = instrument(runner, { db })
await tracedEnqueue(db, 'mail_jobs', { to: 'ada' })
runner.on('idle', () => void runner.stop())
await runner.run()
await stopTelemetry()
stop()
await db.destroy()
`
  const cwd = userProject({ 'telemetry.ts': start?.text ?? '', 'main.ts': main })
  const env = { DATABASE_URL: url, OTEL_EXPORTER_OTLP_ENDPOINT: collector }
  expect(await startProgram(['main.ts'], { cwd, env }).ended).toEqual({ code: 0, stdout: '', stderr: '' })
  const sent = (path: string) => bodies.flatMap((each) => (each.path === path ? [each.body] : [])).join()
  for (const name of ['send mail_jobs', 'process mail_jobs', '"service.name"'])
    expect(sent('/v1/traces')).toContain(name)
  expect(sent('/v1/metrics')).toContain('kysely_jobs.attempts')
})

test('the page names the versions that are tested', () => {
  const { devDependencies } = JSON.parse(read('package.json'))
  const named = [...read('docs/telemetry.md').matchAll(/(@opentelemetry\/[\w-]+)@([\d.]+)/g)]
  expect(named.length).toBeGreaterThan(5)
  for (const [, name = '', version] of named) {
    const { version: installed } = JSON.parse(read(`node_modules/${name}/package.json`))
    expect(installed, name).toMatch(new RegExp(`^${version}\\.`))
    if (name in devDependencies) expect(devDependencies[name]).toBe(installed)
  }
})
