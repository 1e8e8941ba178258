import {
  type Attributes,
  context,
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
import { type Ended, failureOf, outcomeOf } from './handler-result.js'
import { safely, spanSafely, tellFault } from './safely.js'
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
  }

  /** A fetch brought jobs. @param took milliseconds */
  claimed(jobs: readonly object[], took: number): void {
    safely(() => {
      const attributes = { ...this.#receive, 'messaging.batch.message_count': jobs.length }
      this.#past('receive', attributes, took, { links: linksTo(jobs), root: true })
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
      this.#fail(span, attempts, begunAt, thrown, describe)
      throw thrown
    }
    if (!isLater) {
      this.#end(span, begunAt, outcomeOf(attempts, returned))
      return returned
    }
    const end = (value: unknown) => {
      this.#end(span, begunAt, outcomeOf(attempts, value))
      return value
    }
    const fail = (thrown: unknown) => {
      this.#fail(span, attempts, begunAt, thrown, describe)
      throw thrown
    }
    return Promise.resolve(returned).then(end, fail) as Returned // whoever called awaits it, as it would what the handler returned
  }

  /** A span that stands by itself: what a worker does between handlers is nobody's child. */
  settled(outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[], sent: number, error?: unknown): void {
    this.#wrote(outcomes, sent, error, true)
  }

  /** A child of what is active in the handler. */
  completed(outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[], sent: number, error?: unknown): void {
    this.#wrote(outcomes, sent, error, false)
  }

  #wrote(
    outcomes: readonly (LeasedOutcome & { readonly of?: Attempt })[],
    sent: number,
    error: unknown,
    root: boolean,
  ): void {
    safely(() => {
      const took = performance.now() - sent
      const [first] = outcomes
      const kind = outcomes.every(({ kind }) => kind === first?.kind) ? first?.kind : undefined
      const own = { 'messaging.batch.message_count': outcomes.length, ...(kind && { 'kysely_jobs.outcome': kind }) }
      const failed = error === undefined ? this.#settle : { ...this.#settle, 'error.type': errorTypeOf(error) }
      this.#past('settle', { ...failed, ...own }, took, { links: root ? linksToHandlers(outcomes) : [], root })
      this.#durations.operation(took, failed)
    })
  }

  /** A span of what is over. */
  #past(operation: string, attributes: Attributes, took: number, of: { links: Link[]; root: boolean }): void {
    const end = Date.now()
    const options = { kind: SpanKind.CLIENT, attributes, startTime: end - took, ...of }
    const span = this.#tracer.startSpan(`${operation} ${this.#table}`, options)
    if ('error.type' in attributes) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end(end)
  }

  #begin(attempts: readonly Attempt[]): Span {
    for (const attempt of attempts) this.#durations.waited(attempt)
    return spanSafely(() => {
      const span = this.#start(attempts)
      const told = span.spanContext()
      if (told.traceId !== INVALID_TRACEID) for (const attempt of attempts) attempt.trace = told
      return span
    })
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
      ? span.setAttribute('messaging.message.id', String(first.id)).setAttribute('kysely_jobs.attempt', first.attempt)
      : span.setAttribute('messaging.batch.message_count', attempts.length)
  }

  #end(span: Span, begunAt: number, { outcome, errorType }: Ended): void {
    try {
      this.#durations.processed(performance.now() - begunAt, errorType)
      if (span.isRecording()) {
        if (outcome !== undefined) span.setAttribute('kysely_jobs.outcome', outcome)
        if (errorType !== undefined) failed(span, errorType, errorType)
      }
      span.end()
    } catch (error) {
      tellFault(error)
    }
  }

  /** @param describe is the user's: it is not asked about what nobody records */
  #fail(
    span: Span,
    attempts: readonly Attempt[],
    begunAt: number,
    thrown: unknown,
    describe: Settings['describeError'],
  ): void {
    safely(() => {
      const { errorType, exceptionType } = failureOf(attempts, thrown)
      this.#durations.processed(performance.now() - begunAt, errorType)
      if (span.isRecording()) {
        const text = describe(thrown, attempts[0]?.job)
        const [message = errorType] = text.split('\n')
        failed(span, errorType, message)
        const told = { 'exception.type': exceptionType, 'exception.message': message, 'exception.stacktrace': text }
        span.addEvent('exception', told)
      }
      span.end()
    })
  }
}

function failed(span: Span, errorType: string, message: string): void {
  span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR, message })
}

/** What `await` would wait for. It may throw where that would. */
function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}
