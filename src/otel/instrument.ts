import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import type { Queryable } from '../schema/job-table.js'
import { packageVersion } from '../schema/version.js'
import { TableWatch } from '../telemetry/table-watch.js'
import { type Watched, type WatchedWorker, workersOf } from '../telemetry/watched.js'
import type { WorkerEvent, WorkerEvents } from '../worker/events.js'
import type { WorkerObserver } from '../worker/observer.js'
import { scopeName } from './conventions.js'
import { Durations } from './durations.js'
import { observe } from './observables.js'
import { Tracing } from './tracing.js'

/** What is needed of a worker to be seen. */
export interface InstrumentedWorker extends WatchedWorker {
  observer?: WorkerObserver | undefined
  on<Name extends WorkerEvent>(name: Name, listener: (payload: WorkerEvents<never>[Name][0]) => void): unknown
}

export interface InstrumentOptions<DB = unknown> {
  /** Default: the global one, whenever it is set. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Default: the global one, which must be set before. */
  readonly meterProvider?: MeterProvider | undefined
  /** Asks this database how much is due, running, retrying and failed, at most every 15 seconds. Default: it is not asked. */
  readonly db?: Queryable<DB> | undefined
  /**
   * The span of a job is a child of the span that enqueued it, in the same trace: for jobs that run soon. Default false: it begins a trace of its own
   * that links to that span, as the conventions advise.
   */
  readonly parent?: boolean | undefined
}

/** Workers that are seen. */
export interface Instrumentation {
  /** Ends the metrics; spans go on as long as their workers. */
  stop(): void
}

/**
 * Makes spans and metrics of the workers of a runner, or of some workers, by OpenTelemetry's conventions for messaging: a span around each handler, which
 * is active in it, and one for each claim that brought jobs and each write of outcomes. To be called before they start.
 *
 * @throws TypeError without workers, for one that has started, and for one that was given before
 * @example
 * const runner = createRunner(db, { workers: [mail] })
 * instrument(runner)
 * await runner.run()
 */
export function instrument<DB>(
  watched: Watched<InstrumentedWorker>,
  options: InstrumentOptions<DB> = {},
): Instrumentation {
  const workers = workersOf(watched, 'instrument')
  for (const worker of workers) check(worker)
  const { tracerProvider = trace, meterProvider = metrics, db, parent = false } = options
  const [tracer, meter] = [
    tracerProvider.getTracer(scopeName, packageVersion),
    meterProvider.getMeter(scopeName, packageVersion),
  ]
  const measured = workers.map((worker) => {
    const durations = new Durations(meter, worker.table)
    const tracing = new Tracing(tracer, durations, worker.table, parent)
    worker.observer = tracing
    worker.on('claimed', ({ jobs, took }) => tracing.claimed(jobs, took))
    return durations
  })
  const flush = () => {
    for (const durations of measured) durations.flush()
  }
  const watch = db && new TableWatch(db as Queryable<unknown>, workers) // it asks by names alone
  const stop = observe(meter, { workers, watch, flush })
  return {
    stop: () => {
      for (const durations of measured) durations.end()
      stop()
    },
  }
}

function check(worker: InstrumentedWorker): void {
  const { table, observer } = worker
  if (observer !== undefined)
    throw new TypeError(`instrument: the worker of ${table} has been given before; give each once`)
  if (worker.health().state !== 'new')
    throw new TypeError(`instrument: the worker of ${table} has started; call instrument() before`)
}
