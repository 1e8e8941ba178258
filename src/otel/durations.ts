import { type Attributes, type Histogram, type Meter, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Attempt } from '../worker/run/attempt.js'
import { waitOf } from '../worker/settle/tell.js'
import { attributesOf, failedAttributes, operationBounds, waitBounds } from './conventions.js'
import { safely } from './safely.js'

const inSeconds = (bounds: number[]) => ({ unit: 's', advice: { explicitBucketBoundaries: bounds } })

/** How long a client's operations take: of those who enqueue and those who work. */
export function operationDurations(meter: Meter): Histogram {
  const description = 'Duration of operations of those who enqueue jobs, and of workers'
  return meter.createHistogram('messaging.client.operation.duration', { ...inSeconds(operationBounds), description })
}

/** Values of a histogram, all of the same attributes, that are recorded together. */
interface Later {
  readonly histogram: Histogram
  readonly attributes: Attributes
  /** Milliseconds. */
  readonly values: number[]
}

/** So many values of a kind are recorded together at the latest. */
const atOnce = 256

/**
 * What a worker of a table measures of each operation; all are milliseconds. The SDK takes 0.7 µs to record one: those of each job wait until
 * metrics are collected or there are many, and then until the loop has sent what it had to.
 */
export class Durations {
  readonly #operation: Histogram
  readonly #processFailed: (errorType: string) => Attributes
  readonly #process: Later
  readonly #wait: Later
  #isEnded = false

  constructor(meter: Meter, table: string) {
    this.#operation = operationDurations(meter)
    const process = meter.createHistogram('messaging.process.duration', {
      ...inSeconds(operationBounds),
      description: 'Duration of handlers',
    })
    const wait = meter.createHistogram('kysely_jobs.wait', {
      ...inSeconds(waitBounds),
      description: 'How long jobs waited, from when they were due to their handler',
    })
    const { 'messaging.operation.type': _, ...processed } = attributesOf('process', table) // fewer are quicker
    this.#processFailed = failedAttributes(processed)
    this.#process = { histogram: process, attributes: processed, values: [] }
    this.#wait = { histogram: wait, attributes: { 'messaging.destination.name': table }, values: [] }
  }

  operation(took: number, attributes: Attributes): void {
    if (!this.#isEnded) this.#operation.record(took / 1000, attributes)
  }

  processed(took: number, errorType: string | undefined): void {
    if (errorType === undefined) this.#keep(this.#process, took)
    else if (!this.#isEnded) record(this.#process.histogram, took, this.#processFailed(errorType))
  }

  waited(attempt: Attempt): void {
    const wait = waitOf(attempt)
    if (wait !== undefined) this.#keep(this.#wait, wait)
  }

  /** Records all that waits. */
  readonly flush = (): void => {
    for (const { histogram, attributes, values } of [this.#wait, this.#process])
      for (const value of values.splice(0)) safely(() => record(histogram, value, attributes))
  }

  /** From now on nothing is measured. */
  end(): void {
    this.flush()
    this.#isEnded = true
  }

  #keep({ values }: Later, value: number): void {
    if (this.#isEnded) return
    values.push(value)
    if (values.length === atOnce) setImmediate(this.flush)
  }
}

/** To look for the active context costs more than to count. */
function record(histogram: Histogram, milliseconds: number, attributes: Attributes): void {
  histogram.record(milliseconds / 1000, attributes, ROOT_CONTEXT)
}
