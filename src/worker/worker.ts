import type { Kysely } from 'kysely'
import type { WorkerStats } from '../records/stats.js'
import type { WorkerState } from '../records/worker-state.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import type { JobTableDescription } from '../schema/inspect.js'
import { jobsOf } from '../schema/job-database.js'
import type { Job } from '../schema/job-table.js'
import { newWorkerId } from '../schema/lease-token.js'
import { type Subscription, type SubscriptionHooks, sharedListener } from '../watch/shared-listener.js'
import { ask } from './ask.js'
import { isLogged } from './events.js'
import { FirstLook, type FirstSight, type Fit } from './first-look.js'
import type { WorkerHealth } from './health.js'
import type { WorkerObserver } from './observer.js'
import type { Settings } from './options.js'
import { PauseReader } from './pause/pause-reader.js'
import { Pauses } from './pause/pauses.js'
import { processShare } from './process-share.js'
import type { MakeHandling } from './run/handling.js'
import type { WorkerScope } from './scope.js'
import { adviceOnPool, adviceOnTable } from './start-advice.js'
import { StartedWorker } from './started.js'
import { Tally } from './tally.js'
import { fitted } from './unfit-options.js'
import { WorkerEmitter } from './worker-emitter.js'
import { scopeOf } from './worker-scope.js'
import { workerState } from './worker-state.js'

/** How long (milliseconds) it is waited for what is paused, as nothing begins meanwhile; then it is asked again. */
const longestRead = 5_000

/** How long `stop()` lets handlers run on where nothing else is said: what Kubernetes gives a pod. */
const defaultDeadline = '30s'

/** One table and one handler: made by `createWorker`, started once, stopped once. `Seen` is a job as its handler gets it. */
export class Worker<DB, Table extends keyof DB & string, Seen = Job<DB, Table>> extends WorkerEmitter<Table, Seen> {
  /** Its uuid: `locked_by` of the jobs it runs, but for the last digit, which tells how a claim came. */
  readonly id: string
  readonly db: Kysely<DB>
  readonly #makeHandling: MakeHandling
  readonly #settings: Settings
  readonly #firstLook: FirstLook
  readonly #pauses = new Pauses((event, payload) => this.tell(event, payload))
  #state: WorkerHealth['state'] = 'new'
  #starting: Promise<void> | undefined
  #stopping: Promise<{ readonly left: number }> | undefined
  #started: StartedWorker | undefined
  readonly #tally = new Tally()
  /** @internal Sees its work from within; to be set before it starts. */
  observer: WorkerObserver | undefined

  /** @internal Use `createWorker`. */
  constructor(db: Kysely<DB>, table: Table, makeHandling: MakeHandling, settings: Settings) {
    super(table, settings)
    this.id = newWorkerId(settings.lease)
    this.db = db
    this.#makeHandling = makeHandling
    this.#settings = settings
    this.#firstLook = new FirstLook(settings.engine)
  }

  /**
   * Checks the real table once, then claims jobs until {@link stop}. A second call waits for the first. Stopped while
   * it still looks at the table, it resolves and does nothing more.
   *
   * @param options `retry`: wait for a server that is away, or not up yet; events and log tell. Default false.
   * @throws ConnectionError that says what is wrong where the server can't be reached; JobTableError naming everything the table lacks; StatementPoolingError behind a pooler in statement mode; WorkerOptionError where an option does not fit it; EngineError or CatalogError where the server is no engine that is known; whatever else the database says.
   *   After an error it may be called again.
   */
  start(options: { readonly retry?: boolean | undefined } = {}): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'stopped') {
      return Promise.reject(new Error(`The worker of ${this.table} was stopped, and starts only once: create another`))
    }
    this.#starting ??= this.#start(options.retry ?? false)
    return this.#starting
  }

  async #start(retry: boolean): Promise<void> {
    this.#state = 'starting'
    try {
      const tellRetry = (error: unknown) => this.report(error, 'starting, which is tried again')
      const check = (real: JobTableDescription) => this.#check(real)
      const seen = await this.#firstLook.at(this.db, this.table, check, retry ? tellRetry : undefined)
      if (seen === undefined) return // stopped while it looked; there is nothing to undo
      this.#advise(seen, adviceOnPool(this.#settings, seen.connections))
      this.#started = new StartedWorker(this.#scope(seen), this.#makeHandling)
      this.#state = 'running'
      this.tell('started', { worker: this.id })
      this.#pauses.open()
    } catch (error) {
      if (this.#state === 'starting') this.#state = 'new'
      this.#starting = undefined
      throw error
    }
  }

  /** What does not fit is an error; what is paused is known before anything is claimed. */
  async #check(real: JobTableDescription): Promise<Fit> {
    const jobs = jobsOf(this.db, this.table, real)
    const fit = await fitted(this.#settings, real, jobs)
    const limit = Math.min(longestRead, this.#settings.lease / 3)
    const pauseReader = new PauseReader({
      db: jobs.db,
      table: real.table,
      ask: (question) => ask(jobs.db, limit, 'what is paused', question),
      read: (pauses, now) => {
        this.#pauses.read(pauses, now)
        processShare(this.db).poller.reschedule() // it polls more often where something may be paused
      },
      reading: (isUnderWay) => {
        this.#pauses.isUnsure = isUnderWay
      },
      report: (error, doing) => this.report(error, doing),
    })
    await pauseReader.first()
    return { ...fit, pauseReader }
  }

  #advise({ description, advice: onOptions, warnings }: FirstSight, onPool: readonly string[]): void {
    const { logger, advice } = this.#settings
    const urgent = new Set([...advice, ...warnings, ...onPool, ...adviceOnTable(description, this.#settings)])
    const line = (text: string) => (text.startsWith(`${this.table} `) ? text : `${this.table}: ${text}`)
    for (const sentence of urgent) logger.warn({ table: this.table }, line(sentence))
    for (const sentence of [...description.advice, ...onOptions])
      if (!urgent.has(sentence)) logger.info({ table: this.table }, line(sentence))
  }

  /**
   * Stops: claims no more, releases what has not begun, lets handlers end up to the deadline (default 30 s), then
   * aborts their signals. Always done within a second after it. Stopping twice is harmless; a later call can bring
   * the deadline forward.
   * @returns how many handlers would not end; their jobs run again elsewhere when their leases expire.
   */
  async stop(options: { readonly deadline?: Duration | undefined } = {}): Promise<{ readonly left: number }> {
    const deadline = milliseconds(options.deadline ?? defaultDeadline, 'deadline')
    const started = this.#started?.stop(deadline)
    this.#stopping ??= this.#stop(deadline)
    await started
    return this.#stopping
  }

  async #stop(deadline: number): Promise<{ readonly left: number }> {
    this.#state = 'stopping'
    this.#firstLook.stop()
    const left = (await this.#started?.stop(deadline)) ?? 0
    this.#state = 'stopped'
    this.tell('stopped', { left })
    return { left }
  }

  /** `await using worker = createWorker(...)` stops it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /**
   * Has the partitions of the table's archive made and dropped, and moves jobs there that ended otherwise than by a worker's
   * hand: a runner calls it every ten minutes. Never rejects: events and log tell.
   * @returns whether there is more to do soon
   */
  async keepArchive(): Promise<boolean> {
    return (await this.#started?.keepArchive()) ?? false
  }

  /** @internal By which keys it claims, as its options say. */
  get keyed(): Settings['keyed'] {
    return this.#settings.keyed
  }

  /** @internal Hears another channel by the worker's listener; undefined: it has none. */
  hear(channel: string, hooks: SubscriptionHooks): Subscription | undefined {
    const { listen } = this.#settings
    if (listen === undefined) return undefined
    return sharedListener(jobsOf(this.db, this.table).db, listen).subscribe(channel, hooks)
  }

  /**
   * Pauses this worker alone, in memory: it begins no job any more, and releases what it has claimed and not begun; handlers that run end as
   * ever. Called before {@link start}, it starts paused. Twice is harmless. The events `paused` and `resumed` tell of it.
   * @example worker.pause() // while the machine is short of memory, say
   */
  pause(): void {
    this.#pauses.byWorker = true
  }

  /** Ends {@link pause}; while its table is paused (`pauseJobs`) the worker goes on to wait. Twice is harmless. */
  resume(): void {
    this.#pauses.byWorker = false
  }

  /** How the worker is, for probes. */
  health(): WorkerHealth {
    const unknown = { lastFetch: undefined, leaseMargin: undefined }
    const rest = { alive: false, serverAway: false, listener: 'off', running: 0, stuck: 0, ...unknown } as const
    const paused = { paused: this.#state === 'stopped' ? undefined : this.#pauses.by, pauses: this.#pauses.list }
    const now = this.#state === 'stopped' ? undefined : this.#started?.health
    return { ...rest, ...now, ...paused, state: this.#state }
  }

  /**
   * What became of its jobs since it was made: counts of events, and histograms of how long jobs waited and ran. Kept whether or not
   * anybody asks or listens.
   * @example const { succeeded, failed, wait } = worker.stats()
   */
  stats(): WorkerStats {
    return this.#tally.stats
  }

  /** @internal How it is, as its runner writes it down; undefined: it has not begun. */
  describe(): WorkerState | undefined {
    return this.#started && workerState(this.id, this.#started.table, this.#settings, this.health())
  }

  #scope(sight: FirstSight): WorkerScope {
    const [tally, tell] = [this.#tally, this.tell.bind(this)]
    const own = {
      worker: this.id,
      db: this.db,
      name: this.table,
      settings: this.#settings,
      pauses: this.#pauses,
      tally,
      observer: this.observer,
    }
    return scopeOf(
      {
        ...own,
        hears: (event) => this.listenerCount(event) > 0 || isLogged(this.#settings, event),
        tell: (event, payload) => {
          tally.told(event, payload)
          tell(event, payload)
        },
        report: (error, doing) => this.report(error, doing),
      },
      sight,
    )
  }
}
