import { pollTables } from '../queue/poll.js'
import { signalOf } from '../queue/signal.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import type { Jobs } from '../schema/job-database.js'
import { Bell } from '../watch/bell.js'
import { withDeadline } from '../watch/deadline.js'
import type { ListenSource } from '../watch/listener.js'
import { NoticeLimit } from '../watch/notice-limit.js'
import { Pause } from '../watch/pause.js'
import { type Subscription, sharedListener } from '../watch/shared-listener.js'
import { consoleLogger, harmless, type Logger } from '../worker/logger.js'
import { pollIntervalHeard, pollIntervalUnheard } from '../worker/options.js'
import { abandonedAfter } from './fetch-next-job.js'

export interface PollOptions {
  /** How often to look, give or take a tenth. Default 2 s, with `listen` 60 s; at most 2 s while the listener is not connected. */
  readonly pollInterval?: Duration | undefined
  /** The seed's timeoutInMicroseconds: also call back for jobs that run longer than this and a second. Default: don't. */
  readonly timeout?: Duration | undefined
  /** Pino's shape. Default: warnings and errors to the console. */
  readonly logger?: Logger
}

/** Called when a job may be available; never while it runs. All notifications of that time are one more call. */
export type OnJob = () => unknown

/** The longest wait (milliseconds) for an answer: a connection that was cut off silently never gives one. */
const patience = 20_000

/** The share by which each poll comes earlier or later, so that workers that were started together drift apart. */
const pollJitter = 0.1

/** What `watchForJob` and `pollForJob` return: looks for jobs until it is closed; no error ends it. */
export class JobWatch implements AsyncDisposable {
  readonly #jobs: Jobs
  readonly #onJob: OnJob
  readonly #log: Logger
  readonly #pollInterval: number
  readonly #expiry: number | undefined
  readonly #bell = new Bell()
  readonly #limit = new NoticeLimit()
  readonly #errorPause = new Pause()
  readonly #leftPause = new Pause()
  readonly #subscription: Subscription | undefined
  readonly #loop: Promise<void>
  #closed = false

  /** @internal Use `watchForJob` or `pollForJob`. */
  constructor(jobs: Jobs, onJob: OnJob, options: PollOptions, ear?: [source: ListenSource, channel: string]) {
    const usual = ear === undefined ? pollIntervalUnheard : pollIntervalHeard
    this.#jobs = jobs
    this.#onJob = onJob
    this.#log = harmless(options.logger ?? consoleLogger)
    this.#pollInterval = milliseconds(options.pollInterval ?? usual, 'pollInterval')
    this.#expiry = options.timeout === undefined ? undefined : abandonedAfter(options.timeout)
    this.#subscription = ear && this.#listen(...ear)
    this.#loop = this.#run()
  }

  /** Stops looking. Resolves when the call under way has ended and the listener is closed; closing twice is harmless. */
  async close(): Promise<void> {
    this.#closed = true
    this.#bell.close()
    await Promise.all([this.#loop, this.#subscription?.close()])
  }

  /** `await using watch = await watchForJob(...)` closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What was notified while nobody listened is found by the look that follows each LISTEN. */
  #listen(source: ListenSource, channel: string): Subscription {
    return sharedListener(this.#jobs.db, source).subscribe(channel, {
      notified: (payload) => this.#notified(payload),
      changed: (state, err) => {
        this.#log.info({ table: this.#jobs.name, ...(err && { err }) }, `${this.#jobs.name}: listener ${state}`)
        this.#bell.ring()
      },
    })
  }

  #notified(payload: string): void {
    const signal = signalOf(payload)
    if (signal.kind !== 'due') return // it holds no leases
    const wait = Math.max(signal.in, this.#limit.wait)
    if (wait > 0) this.#bell.ringIn(wait)
    else this.#bell.ring()
  }

  async #run(): Promise<void> {
    while (!this.#closed) await this.#bell.wait(await this.#turn())
  }

  /** Looks, and calls back where a job is available. Returns the milliseconds until the next look. */
  async #turn(): Promise<number> {
    try {
      const look = pollTables([{ jobs: this.#jobs, lease: this.#expiry ?? 0, claim: { columns: [] } }])
      const [seen] = await withDeadline(look, patience, 'look')
      const isTaken = this.#expiry !== undefined && seen?.expired // from its worker
      const due = isTaken ? 0 : (seen?.due ?? Number.POSITIVE_INFINITY)
      this.#errorPause.reset()
      this.#limit.looked(due <= 0)
      if (due > 0) {
        this.#leftPause.reset()
        return Math.min(due, this.#untilPoll())
      }
      if (!this.#closed) await this.#onJob()
      return Math.min(this.#leftPause.next(), this.#untilPoll())
    } catch (err) {
      this.#log.error({ err, table: this.#jobs.name }, `${this.#jobs.name}: an error while watching; it goes on`)
      return this.#errorPause.next()
    }
  }

  #untilPoll(): number {
    const deaf = this.#subscription !== undefined && this.#subscription.state !== 'listening'
    const interval = deaf ? Math.min(this.#pollInterval, pollIntervalUnheard) : this.#pollInterval
    return interval * (1 + (Math.random() * 2 - 1) * pollJitter)
  }
}
