import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { context } from '@opentelemetry/api'
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
  sampled: new AlwaysOnSampler(),
}

/** @returns a function that ends it */
export async function watch(workers: Workers, kind: TelemetryKind): Promise<() => void> {
  if (kind === 'scraped') return scrape(workers)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000, exportTimeoutMillis: 900 })
  const reset = setInterval(() => exporter.reset(), 5_000)
  const sampler = samplers[kind]
  const processors = [new BatchSpanProcessor({ exporter: nowhere })]
  const tracerProvider = sampler && new TracerProvider({ sampler, spanProcessors: processors })
  const { stop } = instrument(workers, { tracerProvider, meterProvider: new MeterProvider({ readers: [reader] }) })
  return () => {
    clearInterval(reset)
    stop()
    void reader.shutdown()
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
