import type { Kysely } from 'kysely'
import { type Duration, milliseconds } from '../schema/duration.js'
import { Deadline } from '../worker/deadline.js'
import type { WorkerEvent, WorkerEvents } from '../worker/events.js'
import { processShare } from '../worker/process-share.js'
import type { WorkerHealth } from '../worker/worker.js'
import { Caretaker, type Kept } from './caretaker.js'

/** What a runner needs of a worker, whatever its table. */
export interface RunnableWorker extends Kept {
  /** The database handle it was created with. */
  readonly db: Pick<Kysely<unknown>, 'getExecutor'>
  start(options?: { readonly retry?: boolean | undefined }): Promise<void>
  stop(options?: { readonly deadline?: Duration | undefined }): Promise<{ readonly left: number }>
  health(): WorkerHealth
  on<Name extends WorkerEvent>(name: Name, listener: (payload: WorkerEvents<never>[Name][0]) => void): unknown
}

/** What a runner tells: what its workers do, each with its table. */
export type RunnerEvent<Name extends WorkerEvent> = WorkerEvents<object>[Name][0] & { readonly table: string }

export interface RunnerOptions {
  /** What to start and to stop together. */
  readonly workers: readonly RunnableWorker[]
  /** How long handlers may run on after the first signal. Default 30 s. */
  readonly deadline?: Duration | undefined
}

/** The signals on which `run()` stops, and the exit code of a process that one of them ended by force. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

type Signal = keyof typeof signals

/** Workers of one process, started and stopped together: made by `createRunner`. */
export class Runner {
  readonly #workers: readonly RunnableWorker[]
  readonly #deadline: number
  readonly #caretaker: Caretaker
  /** Until when a stop waits for what the caretaker does. */
  readonly #roundDeadline = new Deadline()
  /** Resolves when somebody calls {@link stop}, to what that comes to. */
  readonly #asked = Promise.withResolvers<{ readonly stopped: Promise<{ readonly left: number }> }>()

  /** @internal Use `createRunner`. */
  constructor(options: RunnerOptions) {
    this.#workers = options.workers
    this.#caretaker = new Caretaker(options.workers)
    this.#deadline = milliseconds(options.deadline ?? '30s', 'deadline')
  }

  /**
   * Starts all workers, and waits for a server that is away or not up yet, unless `retry` is false. Where one can't start,
   * the others are stopped again.
   * @throws what the first worker's `start()` threw
   */
  async start({ retry = true }: { readonly retry?: boolean | undefined } = {}): Promise<void> {
    const started = await Promise.allSettled(this.#workers.map((worker) => worker.start({ retry })))
    const failed = started.find((result) => result.status === 'rejected')
    if (failed === undefined) return this.#caretaker.start()
    await this.#stopAll(0)
    throw failed.reason
  }

  /** Stops all workers, at the same time. A later call can bring the deadline forward. */
  async stop(options: { readonly deadline?: Duration | undefined } = {}): Promise<{ readonly left: number }> {
    const stopped = this.#stopAll(options.deadline ?? this.#deadline)
    this.#asked.resolve({ stopped })
    return stopped
  }

  async #stopAll(deadline: Duration): Promise<{ readonly left: number }> {
    this.#roundDeadline.within(milliseconds(deadline, 'deadline'))
    const round = Promise.race([this.#caretaker.stop(), this.#roundDeadline.passed])
    const stopped = await Promise.all(this.#workers.map((worker) => worker.stop({ deadline })))
    await round
    this.#roundDeadline.clear()
    return { left: stopped.reduce((sum, { left }) => sum + left, 0) }
  }

  /**
   * Listens to an event of all workers.
   * @example runner.on('failed', ({ table, job, error }) => report(table, job, error))
   */
  on<Name extends WorkerEvent>(name: Name, listener: (event: RunnerEvent<Name>) => void): this {
    for (const worker of this.#workers) {
      worker.on(name, (payload) => listener({ ...(payload as WorkerEvents<object>[Name][0]), table: worker.table })) // a job is an object
    }
    return this
  }

  /** How the workers are, by their tables; `alive` when all are. */
  health(): { readonly alive: boolean; readonly workers: readonly (WorkerHealth & { readonly table: string })[] } {
    const workers = this.#workers.map((worker) => ({ table: worker.table, ...worker.health() }))
    return { alive: workers.every(({ alive }) => alive), workers }
  }

  /**
   * Runs as a process of its own: starts, waits for SIGTERM, SIGINT or a call of {@link stop}, drains, and resolves; close
   * your pool then.
   * The exit code is 0 when every handler ended, 1 when some would not by the deadline: the process is ended
   * then, and their jobs run again elsewhere when their leases expire. A second signal forces: handlers are
   * aborted at once and the process ends with 130 (SIGINT) or 143 (SIGTERM). Only here are signals listened to.
   * @throws what the first worker's `start()` threw
   */
  async run(): Promise<void> {
    const signalled = nextSignals()
    try {
      const starting = this.start()
      const told = Promise.race([signalled.first.then(() => undefined), this.#asked.promise])
      await Promise.race([starting, told])
      starting.catch(() => {}) // where the signal came first, the stop is what counts
      const asked = await told
      let forcedBy: Signal | undefined
      void signalled.second.then((signal) => {
        forcedBy = signal
        return this.stop({ deadline: 0 })
      })
      const { left } = await (asked?.stopped ?? this.stop()) // whoever asked said by when
      if (forcedBy !== undefined) process.exit(signals[forcedBy])
      if (left > 0) process.exit(1)
    } finally {
      signalled.forget()
    }
  }
}

/**
 * Workers as one process: start all, run until a signal, drain. They share one listener, one rescue timer for each
 * table, and the quarantine in which a job that kills its workers runs alone; hence one database.
 *
 * @throws RunnerOptionError without workers, for a worker of another database, or an unknown option; DurationError
 * @example
 * await createRunner(db, { workers: [mail, reports] }).run()
 * await db.destroy()
 */
export function createRunner<DB>(db: Kysely<DB>, options: RunnerOptions): Runner {
  if (!Array.isArray(options?.workers) || options.workers.length === 0)
    throw new RunnerOptionError('workers: give at least one worker, as in { workers: [mail] }')
  const unknown = Object.keys(options).filter((name) => name !== 'workers' && name !== 'deadline')
  if (unknown.length > 0)
    throw new RunnerOptionError(`${unknown.join(', ')}: no such option; there are workers, deadline`)
  const stranger = options.workers.find((worker) => processShare(worker.db) !== processShare(db))
  if (stranger !== undefined) {
    throw new RunnerOptionError(
      `workers: the worker of ${stranger.table} was created with another Kysely; give one runner the workers of one`,
    )
  }
  return new Runner(options)
}

/** Options no runner can work with. */
export class RunnerOptionError extends RangeError {
  override readonly name = 'RunnerOptionError'
  readonly code = 'INVALID_OPTION'
}

/** The first and the second signal to come. */
function nextSignals(): { first: Promise<Signal>; second: Promise<Signal>; forget: () => void } {
  const resolvers: ((signal: Signal) => void)[] = []
  const next = () => new Promise<Signal>((resolve) => resolvers.push(resolve))
  const [first, second] = [next(), next()]
  const came = (signal: Signal) => resolvers.shift()?.(signal)
  const names = Object.keys(signals) as Signal[] // the keys of the const above
  for (const name of names) process.on(name, came)
  const forget = () => {
    for (const name of names) process.off(name, came)
  }
  return { first, second, forget }
}
