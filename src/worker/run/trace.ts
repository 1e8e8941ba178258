/** A span, by the ids of the W3C's trace context. */
export interface Trace {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}
