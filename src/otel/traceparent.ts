import { context, isSpanContextValid, type Link, type SpanContext, trace } from '@opentelemetry/api'

/** The column in which a job keeps the span that enqueued it, and what it holds, by the W3C's trace context. */
export const traceparentColumn = 'traceparent'
const format = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/**
 * The active span as the text that a `traceparent` column holds; undefined where none is active: for jobs that are inserted by other means than
 * {@link tracedEnqueue}.
 * @example await db.insertInto('mail_jobs').values({ user_id, traceparent: traceparent() }).execute()
 */
export function traceparent(): string | undefined {
  const span = trace.getSpanContext(context.active())
  return span && textOf(span)
}

/** Undefined: nobody records it. */
export function textOf(span: SpanContext): string | undefined {
  if (!isSpanContextValid(span)) return undefined
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}

/** The span that enqueued a job, where its row says so. */
export function enqueuedBy(job: object): SpanContext | undefined {
  const text: unknown = Object.hasOwn(job, traceparentColumn) ? Reflect.get(job, traceparentColumn) : undefined
  const [, traceId = '', spanId = '', flags = '0'] = (typeof text === 'string' && format.exec(text)) || []
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
  return isSpanContextValid(span) ? span : undefined
}

/** SDKs keep so many links of a span, and drop the others. */
const mostLinks = 128

export function linksTo(jobs: readonly object[]): Link[] {
  return jobs.slice(0, mostLinks).flatMap((job) => {
    const span = enqueuedBy(job)
    return span === undefined ? [] : [{ context: span }]
  })
}

/** To the spans of the handlers whose outcomes these are. */
export function linksToHandlers(
  outcomes: readonly { readonly of?: { readonly trace?: SpanContext | undefined } }[],
): Link[] {
  return outcomes.slice(0, mostLinks).flatMap(({ of }) => (of?.trace === undefined ? [] : [{ context: of.trace }]))
}
