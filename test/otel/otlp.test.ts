import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { enqueue } from 'kysely-jobs'
import { instrument } from 'kysely-jobs/otel'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, mailWorker, next } from '../worker/mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

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
  const { bodies, url } = await receiver()
  const traces = new OTLPTraceExporter({ url: `${url}/v1/traces` })
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: traces })] })
  const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics` })
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
