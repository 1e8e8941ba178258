import type { Kysely } from 'kysely'
import { type Duration, milliseconds } from '../schema/duration.js'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { ask } from '../worker/ask.js'
import { Deadline } from '../worker/deadline.js'
import type { WorkerHealth } from '../worker/health.js'
import { consoleLogger, harmless } from '../worker/logger.js'
import { Caretaker } from './caretaker.js'
import { Historian } from './records/historian.js'
import type { Record } from './records/record.js'
import { Recorder } from './records/recorder.js'
import { Registrar } from './records/registrar.js'
import { type RunnerEvent, type RunnerEventName, RunnerEvents } from './runner-events.js'
import { checkRunnerOptions, type RunnableWorker, type RunnerOptions } from './runner-options.js'
import { Scheduler } from './scheduler.js'
import { adviceOnWorkers } from './unequal-limits.js'

/** The signals on which `run()` stops, and the exit code of a process that one of them ended by force. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

type Signal = keyof typeof signals

/** Workers of one process, started and stopped together: made by `createRunner`. */
export class Runner {
  readonly #db: Kysely<JobDatabase>
  readonly #workers: readonly RunnableWorker[]
  readonly #deadline: number
  readonly #events: RunnerEvents
  readonly #caretaker: Caretaker
  readonly #scheduler: Scheduler
  readonly #recorder: Recorder
  /** Until when a stop waits for what the caretaker does. */
  readonly #roundDeadline = new Deadline()
  /** Resolves when somebody calls {@link stop}, to what that comes to. */
  readonly #asked = Promise.withResolvers<{ readonly stopped: Promise<{ readonly left: number }> }>()

  /** @internal Use `createRunner`. */
  constructor(db: Queryable<unknown>, options: RunnerOptions) {
    const { workers, schedules, undeclared = 'remove' } = options
    this.#db = jobsOf(db, '').db
    this.#workers = workers
    const logger = harmless(options.logger ?? consoleLogger)
    for (const sentence of adviceOnWorkers(workers)) logger.warn({}, sentence)
    this.#events = new RunnerEvents(workers, logger)
    this.#caretaker = new Caretaker(workers)
    this.#scheduler = new Scheduler(db, { workers, schedules, undeclared, tell: this.#events })
    this.#recorder = new Recorder(this.#db, recordsOf(options), logger)
    this.#deadline = milliseconds(options.deadline ?? '30s', 'deadline')
  }

  /**
   * Starts all workers, and waits for a server that is away or not up yet, unless `retry` is false. Where one can't start,
   * the others are stopped again.
   * @throws what the first worker's `start()` threw; SideTableError where schedules are declared and have no table
   */
  async start({ retry = true }: { readonly retry?: boolean | undefined } = {}): Promise<void> {
    const started = await Promise.allSettled(this.#workers.map((worker) => worker.start({ retry })))
    const failed = started.find((result) => result.status === 'rejected')
    try {
      if (failed !== undefined) throw failed.reason
      await this.#scheduler.start(retry)
      this.#caretaker.start()
      this.#recorder.start()
    } catch (error) {
      await this.#stopAll(0)
      throw error
    }
  }

  /** Stops all workers, at the same time. A later call can bring the deadline forward. */
  async stop(options: { readonly deadline?: Duration | undefined } = {}): Promise<{ readonly left: number }> {
    const stopped = this.#stopAll(options.deadline ?? this.#deadline)
    this.#asked.resolve({ stopped })
    return stopped
  }

  async #stopAll(deadline: Duration): Promise<{ readonly left: number }> {
    this.#roundDeadline.within(milliseconds(deadline, 'deadline'))
    const around = Promise.all([this.#caretaker.stop(), this.#scheduler.stop()])
    const round = Promise.race([around, this.#roundDeadline.passed])
    const stopped = await Promise.all(this.#workers.map((worker) => worker.stop({ deadline })))
    const recorded = this.#recorder.stop() // what became of the last jobs is written down as well
    await round
    await recorded
    this.#roundDeadline.clear()
    return { left: stopped.reduce((sum, { left }) => sum + left, 0) }
  }

  /**
   * Listens to an event of all workers, or of the runner's schedules.
   * @example runner.on('failed', ({ table, job, error }) => report(table, job, error))
   */
  on<Name extends RunnerEventName>(name: Name, listener: (event: RunnerEvent<Name>) => void): this {
    this.#events.on(name, listener)
    return this
  }

  /** What it starts and stops together. */
  get workers(): readonly RunnableWorker[] {
    return this.#workers
  }

  /** How the workers are, by their tables; `alive` when all are. */
  health(): { readonly alive: boolean; readonly workers: readonly (WorkerHealth & { readonly table: string })[] } {
    const workers = this.#workers.map((worker) => ({ table: worker.table, ...worker.health() }))
    return { alive: workers.every(({ alive }) => alive), workers }
  }

  /**
   * Asks the database for nothing, and waits for its answer.
   * @param limit milliseconds
   * @throws NoConnectionError, DeadlineError; whatever the database says
   */
  async ping(limit: number): Promise<void> {
    await ask(this.#db, limit, 'whether the database answers', (db) =>
      db
        .withoutPlugins()
        .selectNoFrom((eb) => eb.lit(1).as('one'))
        .execute(),
    )
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
  checkRunnerOptions(db, options)
  return new Runner(db, options)
}

/** What it writes down; undefined is the default of an option. */
function recordsOf({ workers, history = '30d' }: RunnerOptions): Record[] {
  const registrar = new Registrar(workers)
  return history === false ? [registrar] : [registrar, new Historian(workers, milliseconds(history, 'history'))]
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
