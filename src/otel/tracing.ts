import {
  type Attributes,
  context,
  diag,
  INVALID_SPAN_CONTEXT,
  INVALID_TRACEID,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { LeasedOutcome } from '../queue/outcome.js'
import type { WorkerObserver } from '../worker/observer.js'
import type { Settings } from '../worker/options.js'
import type { Attempt } from '../worker/run/attempt.js'
import { attributesOf, errorTypeOf } from './conventions.js'
import type { Durations } from './durations.js'
import { outcomeOf } from './handler-result.js'
import { enqueuedBy, linksTo, linksToHandlers } from './traceparent.js'

/** Makes the spans of a worker, and measures what they measure. */
export class Tracing implements WorkerObserver {
  readonly #tracer: Tracer
  readonly #durations: Durations
  readonly #table: string
  readonly #processName: string
  readonly #isChild: boolean
  readonly #receive: Attributes
  readonly #process: Attributes
  readonly #settle: Attributes
  /** Those of metrics of each job: the SDK takes a fifth of a microsecond for each. */
  readonly #handled: Attributes
  readonly #ofTable: Attributes

  /** @param isChild the span of a single job is a child of the one that enqueued it, and not just linked to it */
  constructor(tracer: Tracer, durations: Durations, table: string, isChild: boolean) {
    this.#tracer = tracer
    this.#durations = durations
    this.#table = table
    this.#processName = `process ${table}`
    this.#isChild = isChild
    this.#receive = attributesOf('receive', table)
    this.#process = attributesOf('process', table)
    this.#settle = attributesOf('settle', table)
    const { 'messaging.operation.type': _, ...handled } = this.#process
    this.#handled = handled
    this.#ofTable = { 'messaging.destination.name': table }
  }

  /** A fetch brought jobs. @param took milliseconds */
  claimed(jobs: readonly object[], took: number): void {
    safely(() => {
      const attributes = { ...this.#receive, 'messaging.batch.message_count': jobs.length }
      this.#past('receive', attributes, linksTo(jobs), took)
      this.#durations.operation(took, this.#receive)
    })
  }

  /** As small as can be: for fast jobs its closures and objects are what costs. */
  handle<Returned>(attempts: readonly Attempt[], call: () => Returned, describe: Settings['describeError']): Returned {
    const begunAt = performance.now()
    const span = this.#begin(attempts)
    let returned: Returned
    let isLater: boolean
    try {
      returned =
        span.spanContext().traceId !== INVALID_TRACEID
          ? context.with(trace.setSpan(context.active(), span), call)
          : call()
      isLater = isThenable(returned)
    } catch (thrown) {
      this.#end(span, attempts, begunAt, { thrown, text: describe(thrown, attempts[0]?.job) })
      throw thrown
    }
    if (!isLater) {
      this.#end(span, attempts, begunAt, { returned })
      return returned
    }
    const end = (value: unknown) => {
      this.#end(span, attempts, begunAt, { returned: value })
      return value
    }
    const fail = (thrown: unknown) => {
      this.#end(span, attempts, begunAt, { thrown, text: describe(thrown, attempts[0]?.job) })
      throw thrown
    }
    return Promise.resolve(returned).then(end, fail) as Returned // whoever called awaits it, as it would what the handler returned
  }

  settled(outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[], sent: number, error?: unknown): void {
    safely(() => {
      const took = performance.now() - sent
      const [first] = outcomes
      const kind = outcomes.every(({ kind }) => kind === first?.kind) ? first?.kind : undefined
      const own = { 'messaging.batch.message_count': outcomes.length, ...(kind && { 'kysely_jobs.outcome': kind }) }
      const failed = error === undefined ? this.#settle : { ...this.#settle, 'error.type': errorTypeOf(error) }
      this.#past('settle', { ...failed, ...own }, linksToHandlers(outcomes), took)
      this.#durations.operation(took, failed)
    })
  }

  /** A span of what is over. It stands by itself: what a worker does between handlers is nobody's child. */
  #past(operation: string, attributes: Attributes, links: Link[], took: number): void {
    const end = Date.now()
    const options = { kind: SpanKind.CLIENT, attributes, links, startTime: end - took, root: true }
    const span = this.#tracer.startSpan(`${operation} ${this.#table}`, options)
    if ('error.type' in attributes) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end(end)
  }

  #begin(attempts: readonly Attempt[]): Span {
    try {
      for (const attempt of attempts) this.#durations.waited(attempt, this.#ofTable)
      const span = this.#start(attempts)
      const { traceId, spanId, traceFlags } = span.spanContext()
      if (traceId !== INVALID_TRACEID) for (const attempt of attempts) attempt.trace = { traceId, spanId, traceFlags }
      return span
    } catch (error) {
      tellFault(error)
      return nobodys
    }
  }

  #start(attempts: readonly Attempt[]): Span {
    const [first] = attempts
    const isOne = first !== undefined && attempts.length === 1
    const sender = isOne ? enqueuedBy(first.job) : undefined
    const links = sender !== undefined ? [{ context: sender }] : isOne ? [] : linksTo(attempts.map(({ job }) => job))
    const parent = sender !== undefined && this.#isChild ? trace.setSpanContext(ROOT_CONTEXT, sender) : ROOT_CONTEXT
    const options = { kind: SpanKind.CONSUMER, attributes: this.#process, links }
    const span = this.#tracer.startSpan(this.#processName, options, parent)
    if (!span.isRecording()) return span
    return isOne
      ? span.setAttributes({ 'messaging.message.id': String(first.id), 'kysely_jobs.attempt': first.attempt })
      : span.setAttribute('messaging.batch.message_count', attempts.length)
  }

  #end(span: Span, attempts: readonly Attempt[], begunAt: number, result: Result): void {
    try {
      const { outcome, errorType, exception } = outcomeOf(attempts, result)
      const attributes = errorType === undefined ? this.#handled : { ...this.#handled, 'error.type': errorType }
      this.#durations.processed(performance.now() - begunAt, attributes)
      if (span.isRecording()) {
        if (outcome !== undefined) span.setAttribute('kysely_jobs.outcome', outcome)
        if (errorType !== undefined) failed(span, errorType, exception)
      }
      span.end()
    } catch (error) {
      tellFault(error)
    }
  }
}

/** What a handler returned, or threw and the text of that. */
interface Result {
  readonly returned?: unknown
  readonly thrown?: unknown
  readonly text?: string
}

/** Records nothing. */
const nobodys = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

/** A processor of spans that throws must not fail a job, nor what was written. */
function safely(act: () => void): void {
  try {
    act()
  } catch (error) {
    tellFault(error)
  }
}

function tellFault(error: unknown): void {
  diag.error('kysely-jobs: a span or metric could not be made', error)
}

/** @param exception the text of what was thrown */
function failed(span: Span, errorType: string, exception: string | undefined): void {
  const [message = errorType] = exception?.split('\n') ?? []
  span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR, message })
  if (exception === undefined) return
  const told = { 'exception.type': errorType, 'exception.message': message, 'exception.stacktrace': exception }
  span.addEvent('exception', told)
}

/** What `await` would wait for. It may throw where that would. */
function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}
