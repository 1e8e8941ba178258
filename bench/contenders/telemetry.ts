import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { instrument, metricsHandler } from '../product.ts'

/** How a process is watched: scraped once a second, or by OpenTelemetry's SDK, whose spans and metrics go nowhere once they are batched. */
export type TelemetryKind = 'scraped' | 'measured' | 'unsampled' | 'hundredth' | 'sampled'

type Workers = Parameters<typeof instrument>[0]

const samplers: Partial<Record<TelemetryKind, Sampler>> = {
  unsampled: new AlwaysOffSampler(),
  hundredth: new TraceIdRatioBasedSampler(0.01),
  sampled: new ParentBasedSampler({ root: new AlwaysOnSampler() }), // the SDK's default
}

/** @returns a function that ends it */
export async function watch(workers: Workers, kind: TelemetryKind): Promise<() => void> {
  if (kind === 'scraped') return scrape(workers)
  const { tracerProvider, meterProvider, end } = sdk(samplers[kind])
  const { stop } = instrument(workers, { tracerProvider, meterProvider })
  return () => {
    stop()
    end()
  }
}

/** As a program sets it up. Without a sampler it makes no spans. */
function sdk(sampler: Sampler | undefined) {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000, exportTimeoutMillis: 900 })
  const reset = setInterval(() => exporter.reset(), 5_000).unref()
  const processors = [new BatchSpanProcessor({ exporter: nowhere })]
  const tracerProvider = sampler && new TracerProvider({ sampler, spanProcessors: processors })
  const end = () => {
    clearInterval(reset)
    void reader.shutdown()
  }
  return { tracerProvider, meterProvider: new MeterProvider({ readers: [reader] }), end }
}

/** What the SDK costs by itself: a handler that makes as many spans and measures as much, of a worker that nobody watches. */
export function bySdkAlone<Payload>(handle: (payload: Payload) => unknown): (payload: Payload) => unknown {
  const { tracerProvider, meterProvider } = sdk(samplers.sampled)
  const [tracer, meter] = [tracerProvider?.getTracer('bench'), meterProvider.getMeter('bench')]
  if (tracer === undefined) throw new Error('it is sampled')
  const [duration, wait] = ['messaging.process.duration', 'wait'].map((name) =>
    meter.createHistogram(name, { unit: 's' }),
  )
  const named = { 'messaging.system': 'kysely-jobs', 'messaging.operation.name': 'process' }
  const ofTable = { 'messaging.destination.name': 'jobs' }
  const [measured, attributes] = [
    { ...named, ...ofTable },
    { ...named, ...ofTable, 'messaging.operation.type': 'process' },
  ]
  return (payload) => {
    const begun = performance.now()
    wait?.record(begun / 1000, ofTable, ROOT_CONTEXT)
    const span = tracer.startSpan('process jobs', { kind: SpanKind.CONSUMER, attributes }, ROOT_CONTEXT)
    span.setAttribute('messaging.message.id', '1').setAttribute('kysely_jobs.attempt', 1)
    const returned = context.with(trace.setSpan(context.active(), span), () => handle(payload))
    duration?.record((performance.now() - begun) / 1000, measured, ROOT_CONTEXT)
    span.end()
    return returned
  }
}

const nowhere: SpanExporter = {
  export: (_, done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
  forceFlush: () => Promise.resolve(),
}

async function scrape(workers: Workers): Promise<() => void> {
  const metrics = metricsHandler(workers)
  const server = createServer(async (request, response) => {
    response.end(await (await metrics(new Request(`http://localhost${request.url}`))).text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
  const scraping = setInterval(() => void fetch(url).then((response) => response.text()), 1_000)
  return () => {
    clearInterval(scraping)
    server.closeAllConnections()
    server.close()
  }
}
