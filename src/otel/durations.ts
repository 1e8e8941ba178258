import { type Attributes, type Histogram, type Meter, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Attempt } from '../worker/run/attempt.js'
import { waitOf } from '../worker/settle/tell.js'
import { operationBounds, waitBounds } from './conventions.js'

const inSeconds = (bounds: number[]) => ({ unit: 's', advice: { explicitBucketBoundaries: bounds } })

/** How long a client's operations take: of those who enqueue and those who work. */
export function operationDurations(meter: Meter): Histogram {
  const description = 'Duration of operations of those who enqueue jobs, and of workers'
  return meter.createHistogram('messaging.client.operation.duration', { ...inSeconds(operationBounds), description })
}

/** What a worker measures of each operation; all are milliseconds. */
export class Durations {
  readonly #operation: Histogram
  readonly #process: Histogram
  readonly #wait: Histogram

  constructor(meter: Meter) {
    this.#operation = operationDurations(meter)
    const process = { ...inSeconds(operationBounds), description: 'Duration of handlers' }
    this.#process = meter.createHistogram('messaging.process.duration', process)
    const wait = {
      ...inSeconds(waitBounds),
      description: 'How long jobs waited, from when they were due to their handler',
    }
    this.#wait = meter.createHistogram('kysely_jobs.wait', wait)
  }

  operation(took: number, attributes: Attributes): void {
    this.#operation.record(took / 1000, attributes)
  }

  processed(took: number, attributes: Attributes): void {
    this.#process.record(took / 1000, attributes, ROOT_CONTEXT) // to look for the active one costs more than to count
  }

  waited(attempt: Attempt, attributes: Attributes): void {
    const wait = waitOf(attempt)
    if (wait !== undefined) this.#wait.record(wait / 1000, attributes, ROOT_CONTEXT)
  }
}
