import { EventEmitter } from 'node:events'
import type { Kysely } from 'kysely'
import { type Duration, milliseconds } from '../schema/duration.js'
import { inspectJobTable, type JobTableDescription } from '../schema/inspect.js'
import { jobsOf, realJobsOf } from '../schema/job-database.js'
import type { Job } from '../schema/job-table.js'
import { newWorkerId } from '../schema/lease-token.js'
import { type Subscription, type SubscriptionHooks, sharedListener } from '../watch/shared-listener.js'
import { isLogged, log, type WorkerEvent, type WorkerEvents } from './events.js'
import { FirstLook, type FirstSight } from './first-look.js'
import type { WorkerHealth } from './health.js'
import { KnownTable } from './known-table.js'
import type { Settings } from './options.js'
import { PassedOver } from './passed-over.js'
import { processShare } from './process-share.js'
import type { MakeHandling } from './run/handling.js'
import type { WorkerScope } from './scope.js'
import { adviceOnPool, adviceOnTable } from './start-advice.js'
import { StartedWorker } from './started.js'
import { fitted } from './unfit-options.js'

/** How long `stop()` lets handlers run on where nothing else is said: what Kubernetes gives a pod. */
const defaultDeadline = '30s'

type Listener<Seen, Name extends WorkerEvent> = (...event: WorkerEvents<Seen>[Name]) => void

/** One table and one handler: made by `createWorker`, started once, stopped once. `Seen` is a job as its handler gets it. */
export class Worker<DB, Table extends keyof DB & string, Seen = Job<DB, Table>> extends EventEmitter {
  /** Its uuid: `locked_by` of the jobs it runs, but for the last digit, which tells how a claim came. */
  readonly id: string
  readonly table: Table
  readonly db: Kysely<DB>
  /** Never there: by it the compiler knows that a worker of few columns is none of all. */
  declare protected readonly seen?: Seen
  readonly #makeHandling: MakeHandling
  readonly #settings: Settings
  readonly #firstLook = new FirstLook()
  #state: WorkerHealth['state'] = 'new'
  #starting: Promise<void> | undefined
  #stopping: Promise<{ readonly left: number }> | undefined
  #started: StartedWorker | undefined

  /** @internal Use `createWorker`. */
  constructor(db: Kysely<DB>, table: Table, makeHandling: MakeHandling, settings: Settings) {
    super()
    this.id = newWorkerId(settings.lease)
    this.db = db
    this.table = table
    this.#makeHandling = makeHandling
    this.#settings = settings
  }

  /**
   * Checks the real table once, then claims jobs until {@link stop}. A second call waits for the first. Stopped while
   * it still looks at the table, it resolves and does nothing more.
   *
   * @param options `retry`: wait for a server that is away, or not up yet; events and log tell. Default false.
   * @throws ConnectionError that says what is wrong where the server can't be reached; JobTableError naming everything the table lacks; StatementPoolingError behind a pooler in statement mode; WorkerOptionError where an option does not fit it; whatever else the database says.
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
      const tellRetry = (error: unknown) => this.#report(error, 'starting, which is tried again')
      const check = (real: JobTableDescription) => fitted(this.#settings, real, jobsOf(this.db, this.table))
      const seen = await this.#firstLook.at(this.db, this.table, check, retry ? tellRetry : undefined)
      if (seen === undefined) return // stopped while it looked; there is nothing to undo
      this.#advise(seen, adviceOnPool(this.#settings, seen.connections))
      this.#started = new StartedWorker(this.#scope(seen), this.#makeHandling)
      this.#state = 'running'
      this.#tell('started', { worker: this.id })
    } catch (error) {
      if (this.#state === 'starting') this.#state = 'new'
      this.#starting = undefined
      throw error
    }
  }

  #advise({ description, advice: onOptions }: FirstSight, onPool: readonly string[]): void {
    const { logger, advice } = this.#settings
    const urgent = new Set([...advice, ...onPool, ...adviceOnTable(description, this.#settings)])
    for (const sentence of urgent) logger.warn({ table: this.table }, `${this.table}: ${sentence}`)
    for (const sentence of [...description.advice, ...onOptions])
      if (!urgent.has(sentence)) logger.info({ table: this.table }, `${this.table}: ${sentence}`)
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
    this.#tell('stopped', { left })
    return { left }
  }

  /** `await using worker = createWorker(...)` stops it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** As every emitter's, but for the names and payloads: Node's types take any, and say it in each version their own way. */
  override on<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.on(name, listener)
  }

  override once<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.once(name, listener)
  }

  override off<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.off(name, listener)
  }

  /**
   * Has the partitions of the table's archive made and dropped, and moves jobs there that ended otherwise than by a worker's
   * hand: a runner calls it every ten minutes. Never rejects: events and log tell.
   * @returns whether there is more to do soon
   */
  async keepArchive(): Promise<boolean> {
    return (await this.#started?.keepArchive()) ?? false
  }

  /** @internal Hears another channel by the worker's listener; undefined: it has none. */
  hear(channel: string, hooks: SubscriptionHooks): Subscription | undefined {
    const { listen } = this.#settings
    if (listen === undefined) return undefined
    return sharedListener(jobsOf(this.db, this.table).db, listen).subscribe(channel, hooks)
  }

  /** How the worker is, for probes. */
  health(): WorkerHealth {
    const rest = { alive: false, lastFetch: undefined, listener: 'off', running: 0, leaseMargin: undefined } as const
    const now = this.#state === 'stopped' ? undefined : this.#started?.health
    return { ...rest, ...now, state: this.#state }
  }

  #scope({ description, connections, kept }: FirstSight): WorkerScope {
    const { table, key } = description
    const known = new KnownTable(this.#settings, description, {
      look: () => inspectJobTable(this.db, this.table),
      report: (error, doing) => this.#report(error, doing),
    })
    const { backoff, lease, seedBackoff, select, where } = this.#settings
    const [userJobs, jobs] = [jobsOf(this.db, this.table, key), realJobsOf(this.db, table, key)]
    const forAll = {
      ...{ lease, select, where, aging: this.#settings.priorityAging },
      retryBackoff: seedBackoff && typeof backoff === 'object' ? backoff : undefined,
    }
    return {
      worker: this.id,
      settings: this.#settings,
      share: processShare(this.db),
      userJobs,
      jobs,
      claimedJobs: where === undefined ? jobs : userJobs,
      table,
      get columns() {
        return known.columns
      },
      get finished() {
        return known.finished
      },
      get archive() {
        return known.archive
      },
      get claim() {
        return { ...forAll, columns: known.columns, except: this.passedOver.rows }
      },
      passedOver: new PassedOver(lease),
      connections,
      kept,
      seedStatuses: !description.holdsCancelled,
      saw: (row) => known.saw(row),
      snapshots: { conflictedAt: undefined },
      refusals: { seen: false },
      failed: (error) => known.failed(error),
      hears: (event) => this.listenerCount(event) > 0 || isLogged(this.#settings, event),
      tell: (event, payload) => this.#tell(event, payload),
      report: (error, doing) => {
        this.#report(error, doing)
        void known.failed(error)
      },
    }
  }

  #tell(event: WorkerEvent, payload: object): void {
    log(this.#settings, this.table, event, payload)
    this.#call(event, payload)
  }

  #report(error: unknown, doing: string): void {
    this.#logError(error, `an error while ${doing}; the worker goes on`)
    this.#call('error', { error, doing })
  }

  /** By its text: where a row is refused, Postgres' own error carries the whole row, payload and all. */
  #logError(error: unknown, sentence: string): void {
    const { logger, describeError } = this.#settings
    logger.error({ table: this.table, error: describeError(error) }, `${this.table}: ${sentence}`)
  }

  /** Not `emit`: an error event without listeners would throw, and one listener that throws would keep it from others. */
  #call(event: WorkerEvent, payload: object): void {
    if (this.listenerCount(event) === 0) return
    for (const listener of this.rawListeners(event)) {
      const failed = (error: unknown) => this.#logError(error, `a listener of '${event}' threw`)
      try {
        const answer: unknown = Reflect.apply(listener, this, [payload])
        if (answer instanceof Promise) answer.catch(failed) // an async listener's rejection would end the process
      } catch (error) {
        failed(error)
      }
    }
  }
}
