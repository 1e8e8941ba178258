import { diag, INVALID_SPAN_CONTEXT, type Span, trace } from '@opentelemetry/api'

/** Records nothing. */
const nobodys: Span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

/** A processor of spans that throws must not fail a job, nor what was written. */
export function safely(act: () => void): void {
  try {
    act()
  } catch (error) {
    tellFault(error)
  }
}

/** A span; where none can be made, one that records nothing. */
export function spanSafely(make: () => Span): Span {
  try {
    return make()
  } catch (error) {
    tellFault(error)
    return nobodys
  }
}

export function tellFault(error: unknown): void {
  diag.error('kysely-jobs: a span or metric could not be made', error)
}
