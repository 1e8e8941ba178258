import {
  type Attributes,
  type Counter,
  context,
  type Histogram,
  type Meter,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { enqueue } from '../queue/enqueue.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { columnValue } from '../schema/row.js'
import { packageVersion } from '../schema/version.js'
import { attributesOf, errorTypeOf, scopeName } from './conventions.js'
import { operationDurations } from './durations.js'
import { safely, spanSafely } from './safely.js'
import { textOf, traceparentColumn } from './traceparent.js'
import { forgetColumn, hasTraceparent } from './traceparent-column.js'

/** `enqueue`, as the parts below the door know it. */
type AnyEnqueue = (db: Queryable<unknown>, table: string, values: object, options?: object) => Promise<unknown>

/**
 * `enqueue` with a span (`send <table>`), which is written to the table's column `traceparent` (text) where it has one, so that the span of the
 * job's handler links to it. Values that have a `traceparent` keep it. It takes the global tracer and meter; without them it is `enqueue`.
 *
 * @throws what `enqueue` throws
 * @example const job = await tracedEnqueue(trx, 'mail_jobs', { user_id, template: 'welcome' })
 */
export const tracedEnqueue = traced as unknown as typeof enqueue // whose types are its own

async function traced(...[db, table, values, options]: Parameters<AnyEnqueue>): Promise<unknown> {
  const jobs = jobsOf(db, table)
  const count = Array.isArray(values) ? values.length : undefined
  const attributes = attributesOf('send', table)
  const span = begin(
    table,
    count === undefined ? attributes : { ...attributes, 'messaging.batch.message_count': count },
  )
  const sent = performance.now()
  let enqueued: unknown
  try {
    const rows = await withTraceparent(jobs, values, span)
    const plain = enqueue as unknown as AnyEnqueue // its types have checked what comes here
    enqueued = await context.with(trace.setSpan(context.active(), span), () => plain(db, table, rows, options))
  } catch (error) {
    forgetColumn(jobs.db, jobs.name, error)
    const failed = { 'error.type': errorTypeOf(error) }
    safely(() => span.setAttributes(failed).setStatus({ code: SpanStatusCode.ERROR }).end())
    safely(() => measure(count ?? 1, sent, { ...attributes, ...failed }))
    throw error
  }
  safely(() => {
    if (count === undefined)
      tellJob(span, enqueued, options !== undefined && Reflect.get(options, 'unique') !== undefined)
    span.end()
  })
  safely(() => measure(count ?? 1, sent, attributes))
  return enqueued
}

function begin(table: string, attributes: Attributes): Span {
  return spanSafely(() => {
    const tracer = trace.getTracer(scopeName, packageVersion)
    return tracer.startSpan(`send ${table}`, { kind: SpanKind.PRODUCER, attributes })
  })
}

/** Values, or each of them, with the span; as they are where nobody records it, or the table has no place for it. */
async function withTraceparent({ db, name }: Jobs, values: object, span: Span): Promise<object> {
  const text = textOf(span.spanContext())
  if (text === undefined || !(await hasTraceparent(db, name))) return values
  const own = (row: object) =>
    Reflect.get(row, traceparentColumn) === undefined ? { ...row, [traceparentColumn]: text } : row
  return Array.isArray(values) ? values.map(own) : own(values)
}

/** Of a unique job that was there before, that it was. */
function tellJob(span: Span, enqueued: unknown, isUnique: boolean): void {
  if (!span.isRecording()) return
  const { job, isNew } = isUnique ? (enqueued as Enqueued) : { job: enqueued as object, isNew: undefined } // as enqueue gives it
  span.setAttribute('messaging.message.id', String(columnValue(job, 'id')))
  if (isNew !== undefined) span.setAttribute('kysely_jobs.is_new', isNew)
}

interface Enqueued {
  readonly job: object
  readonly isNew: boolean
}

/** What is measured, made once for each meter. */
interface Measured {
  readonly durations: Histogram
  readonly sent: Counter
}

const measured = new WeakMap<Meter, Measured>()

function measure(count: number, sent: number, attributes: Attributes): void {
  const meter = metrics.getMeter(scopeName, packageVersion)
  const options = { unit: '{message}', description: 'Jobs that were to be enqueued' }
  const made = measured.get(meter) ?? {
    durations: operationDurations(meter),
    sent: meter.createCounter('messaging.client.sent.messages', options),
  }
  measured.set(meter, made)
  made.durations.record((performance.now() - sent) / 1000, attributes)
  made.sent.add(count, attributes)
}
