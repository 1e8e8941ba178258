import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { type Kysely, sql } from 'kysely'
import {
  createBatchWorker,
  createWorker,
  enqueue,
  FatalError,
  type Handler,
  retryIn,
  snooze,
  type WorkerOptions,
} from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { instrument, tracedEnqueue, traceparent } from 'kysely-jobs/otel'
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from '../worker/mail-jobs.js'
import { startTelemetry } from './telemetry.js'

interface Database extends MailDatabase {
  traced_jobs: MailDatabase['mail_jobs'] & { traceparent: string | null }
}

const { db } = await testDatabase<Database>(async (database: Kysely<Database>) => {
  await createMailTables(database)
  await createJobTable(database, 'traced_jobs', (table) =>
    table.addColumn('to', 'text').addColumn('traceparent', 'text'),
  )
})
const telemetry = startTelemetry()
afterAll(telemetry.end)

beforeEach(async () => {
  await db.deleteFrom('traced_jobs').execute()
  await db.deleteFrom('mail_jobs').execute()
  telemetry.reset()
})

type TracedHandler = Handler<Database, 'traced_jobs'>

/** Runs what is due, and stops. */
async function work(handler: TracedHandler, options: WorkerOptions = {}, instrumenting = {}) {
  const worker = createWorker(db, 'traced_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  const { stop } = instrument([worker], instrumenting)
  onTestFinished(stop)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  return worker
}

const throwing: TracedHandler = ({ to }) => {
  if (to === 'busy') throw new RangeError('postgres://ada:secret@host/ is busy')
  if (to === 'fatal') throw new FatalError('no')
  if (to === 'later') return snooze('1h')
  if (to === 'again') return retryIn('1h', 'rate limited')
  return undefined
}

test('enqueuing, claiming, handling and settling are spans by the conventions for messaging', async () => {
  const job = await tracedEnqueue(db, 'traced_jobs', { to: 'ada' })
  await work(throwing)
  await expect.poll(() => telemetry.spans('settle traced_jobs').length).toBe(1)
  const [sent, received, processed, settled] = ['send', 'receive', 'process', 'settle'].map((name) => {
    const [span, ...others] = telemetry.spans(`${name} traced_jobs`)
    expect(others).toEqual([])
    expect(span?.attributes).toMatchObject({
      'messaging.system': 'kysely-jobs',
      'messaging.operation.name': name,
      'messaging.operation.type': name,
      'messaging.destination.name': 'traced_jobs',
    })
    return span
  })
  const kinds = [sent, received, processed, settled].map((span) => span?.kind)
  expect(kinds).toEqual([SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CONSUMER, SpanKind.CLIENT])
  expect(sent?.attributes['messaging.message.id']).toBe(job.id)
  expect(processed?.attributes).toMatchObject({ 'messaging.message.id': job.id, 'kysely_jobs.attempt': 1 })
  expect(received?.attributes['messaging.batch.message_count']).toBe(1)
  expect(settled?.attributes).toMatchObject({ 'messaging.batch.message_count': 1, 'kysely_jobs.outcome': 'succeeded' })
  const linked = (span: typeof sent) => span?.links.map(({ context }) => context.spanId)
  expect([linked(received), linked(processed)]).toEqual([[sent?.spanContext().spanId], [sent?.spanContext().spanId]])
  expect(linked(settled)).toEqual([processed?.spanContext().spanId])
  expect(processed?.parentSpanContext).toBeUndefined()
})

test('an empty poll is no span', async () => {
  await work(throwing)
  expect(telemetry.spans()).toEqual([])
})

test('the span of a job is active in its handler, also after it has awaited something', async () => {
  await enqueue(db, 'traced_jobs', [{ to: 'ada' }, { to: 'bob' }])
  const inside: (string | undefined)[] = []
  await work(async () => {
    await db.selectFrom('traced_jobs').select('id').execute()
    trace.getTracer('mine').startSpan('mine').end()
    inside.push(trace.getActiveSpan()?.spanContext().spanId)
  })
  const processed = telemetry.spans('process traced_jobs').map((span) => span.spanContext().spanId)
  expect(processed).toHaveLength(2)
  expect(inside.toSorted()).toEqual(processed.toSorted())
  expect(telemetry.spans('mine').map((span) => span.parentSpanContext?.spanId)).toEqual(inside)
})

test('by parent: true a job goes on in the trace of who enqueued it', async () => {
  const tracer = trace.getTracer('mine')
  const request = tracer.startSpan('request')
  await context.with(trace.setSpan(context.active(), request), () => tracedEnqueue(db, 'traced_jobs', { to: 'ada' }))
  request.end()
  await work(throwing, {}, { parent: true })
  const [sent] = telemetry.spans('send traced_jobs')
  const [processed] = telemetry.spans('process traced_jobs')
  expect(sent?.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
  expect(processed?.parentSpanContext?.spanId).toBe(sent?.spanContext().spanId)
  expect(processed?.spanContext().traceId).toBe(request.spanContext().traceId)
})

test('a handler that throws, or runs out of time, is an error of its span, its text as the log has it', async () => {
  await enqueue(db, 'traced_jobs', [{ to: 'busy' }, { to: 'fatal' }, { to: 'slow' }])
  const slow: TracedHandler = (job, { signal }) => {
    if (job.to !== 'slow') return throwing(job, {} as never)
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
  }
  await work(slow, { timeout: '50ms', concurrency: 1 })
  const spans = telemetry.spans('process traced_jobs')
  expect(spans.map(({ status }) => status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.ERROR,
    SpanStatusCode.ERROR,
  ])
  expect(spans.map(({ attributes }) => attributes['error.type'])).toEqual(['RangeError', 'FatalError', 'TimeoutError'])
  const [event] = spans[0]?.events ?? []
  expect(event?.name).toBe('exception')
  expect(event?.attributes?.['exception.message']).toContain('RangeError: postgres://ada:')
  expect(JSON.stringify(spans.map(({ events, status }) => [events, status]))).not.toContain('secret')
})

test('what a handler returns in place of a result is told by its span', async () => {
  await enqueue(db, 'traced_jobs', [{ to: 'later' }, { to: 'again' }])
  await work(throwing, { concurrency: 1 })
  const told = telemetry
    .spans('process traced_jobs')
    .map(({ attributes, status }) => [attributes['kysely_jobs.outcome'], status.code])
  expect(told).toEqual([
    ['snoozed', SpanStatusCode.UNSET],
    ['retry', SpanStatusCode.ERROR],
  ])
})

test('what a handler completes in a transaction of its own is a settle in its span', async () => {
  await enqueue(db, 'traced_jobs', { to: 'ada' })
  await work((_, context) => db.transaction().execute((trx) => context.complete(trx)))
  const [processed] = telemetry.spans('process traced_jobs')
  const [settled] = telemetry.spans('settle traced_jobs')
  expect(settled?.parentSpanContext?.spanId).toBe(processed?.spanContext().spanId)
  expect(settled?.attributes).toMatchObject({ 'messaging.batch.message_count': 1, 'kysely_jobs.outcome': 'succeeded' })
})

test('a batch is one span that links to who enqueued each of its jobs, also in a transaction', async () => {
  for (const hold of ['lease', 'transaction'] as const) {
    telemetry.reset()
    await tracedEnqueue(db, 'traced_jobs', [{ to: 'ada' }, { to: 'bob' }])
    await tracedEnqueue(db, 'traced_jobs', { to: 'eve' })
    const inside: unknown[] = []
    const options = { size: 10, hold, logger: quiet, pollInterval: '20ms' } as const
    const worker = createBatchWorker(db, 'traced_jobs', async () => void inside.push(trace.getActiveSpan()), options)
    onTestFinished(instrument([worker]).stop)
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    const idle = next(worker, 'idle')
    await worker.start()
    await idle
    await worker.stop()
    const [processed, ...others] = telemetry.spans('process traced_jobs')
    expect(others).toEqual([])
    expect(processed?.attributes['messaging.batch.message_count']).toBe(3)
    const senders = telemetry.spans('send traced_jobs').map((span) => span.spanContext().spanId)
    expect(new Set(processed?.links.map(({ context }) => context.spanId))).toEqual(new Set(senders))
    expect(inside).toHaveLength(1)
    const settled = telemetry.spans('settle traced_jobs')
    expect(settled.map(({ attributes }) => attributes['messaging.batch.message_count'])).toEqual([3])
  }
})

test('jobs that a transaction holds settle by the statements that write something', async () => {
  await enqueue(
    db,
    'traced_jobs',
    Array.from({ length: 4_000 }, () => ({ to: 'ada' })),
  )
  const worker = await work(throwing, { hold: 'transaction', concurrency: 50 })
  await worker.stop()
  const counts = telemetry
    .spans('settle traced_jobs')
    .map(({ attributes }) => attributes['messaging.batch.message_count'] as number) // which it always has
  expect(counts).not.toContain(0)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4_000)
})

test('log lines and events of a traced job have the id of its trace', async () => {
  await enqueue(db, 'traced_jobs', [{ to: 'busy' }])
  const lines: object[] = []
  const warn = (facts: object) => void lines.push(facts)
  const worker = createWorker(db, 'traced_jobs', throwing, { logger: { ...quiet, warn } })
  onTestFinished(instrument([worker]).stop)
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const told = next<{ traceId: string }>(worker, 'retry')
  await worker.start()
  const { traceId } = await told
  expect(telemetry.spans('process traced_jobs')[0]?.spanContext().traceId).toBe(traceId)
  expect(lines).toContainEqual(expect.objectContaining({ table: 'traced_jobs', attempt: 1, trace_id: traceId }))
})

test('a table without the column gets its spans, and nothing is written to it', async () => {
  const job = await tracedEnqueue(db, 'mail_jobs', { to: 'ada' })
  expect(job).not.toHaveProperty('traceparent')
  expect(telemetry.spans('send mail_jobs')).toHaveLength(1)
})

test('a span of the user is not overwritten, and that of an ordinary insert is what is active', async () => {
  const span = trace.getTracer('mine').startSpan('mine')
  await context.with(trace.setSpan(context.active(), span), async () => {
    const own = traceparent() ?? ''
    expect(own).toBe(`00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`)
    const job = await tracedEnqueue(db, 'traced_jobs', { to: 'ada', traceparent: own })
    expect(job.traceparent).toBe(own)
  })
  expect(traceparent()).toBeUndefined()
})

test('an enqueue that fails is an error, and its error is that of enqueue', async () => {
  await expect(tracedEnqueue(db, 'mail_jobs', { to: 'a\0b' })).rejects.toThrow('NUL character')
  const [span] = telemetry.spans('send mail_jobs')
  expect(span?.status.code).toBe(SpanStatusCode.ERROR)
  expect(span?.attributes['error.type']).toBe('NewJobError')
})

test('a tracer that throws fails no job', async () => {
  await enqueue(db, 'traced_jobs', [{ to: 'ada' }, { to: 'bob' }])
  const fail = () => {
    throw new Error('out of memory')
  }
  const worker = await work(throwing, {}, { tracerProvider: { getTracer: () => ({ startSpan: fail }) } })
  expect(worker.stats()).toMatchObject({ claimed: 2, succeeded: 2, retry: 0 })
})

test('a processor of spans that throws fails no enqueue, before or after', async () => {
  const fail = () => {
    throw new Error('out of memory')
  }
  const span = trace.getTracer('mine').startSpan('mine')
  const failing = new Proxy(span, { get: (on, name) => (name === 'end' ? fail : Reflect.get(on, name).bind(on)) })
  for (const startSpan of [fail, () => failing]) {
    const tracer = vi.spyOn(trace, 'getTracer').mockReturnValue({ startSpan, startActiveSpan: fail })
    onTestFinished(() => tracer.mockRestore())
    expect(await tracedEnqueue(db, 'mail_jobs', { to: 'ada' })).toMatchObject({ to: 'ada' })
    await expect(tracedEnqueue(db, 'mail_jobs', { to: 'a\0b' })).rejects.toThrow('NUL character')
    tracer.mockRestore()
  }
})

test('the text of an error is asked for where a span records it, and of what Postgres says the type is the SQLSTATE', async () => {
  for (const sampler of [new AlwaysOnSampler(), new AlwaysOffSampler()]) {
    const exporter = new InMemorySpanExporter()
    const spanProcessors = [new SimpleSpanProcessor({ exporter })]
    await enqueue(db, 'traced_jobs', { to: 'ada' })
    const describeError = vi.fn(() => 'refused')
    const handler: TracedHandler = () => sql`select 1 / 0`.execute(db)
    const tracerProvider = new TracerProvider({ sampler, spanProcessors })
    const worker = await work(handler, { maxAttempts: 1, describeError }, { tracerProvider })
    await worker.stop()
    const spans = exporter.getFinishedSpans().filter(({ name }) => name.startsWith('process'))
    const isSampled = sampler instanceof AlwaysOnSampler
    expect(spans.map(({ attributes, status }) => [attributes['error.type'], status.message])).toEqual(
      isSampled ? [['22012', 'refused']] : [],
    )
    expect(describeError).toHaveBeenCalledTimes(isSampled ? 2 : 1) // for last_error it always is
  }
})

test('a worker that has started, or was given before, is refused', async () => {
  const worker = createWorker(db, 'traced_jobs', throwing, { logger: quiet })
  onTestFinished(instrument([worker]).stop)
  expect(() => instrument([worker])).toThrow('the worker of traced_jobs has been given before')
  const late = createWorker(db, 'traced_jobs', throwing, { logger: quiet })
  onTestFinished(() => late.stop({ deadline: 0 }).then(() => {}))
  await late.start()
  expect(() => instrument([late])).toThrow('the worker of traced_jobs has started; call instrument() before')
})
