import type { Outcome } from '../../queue/outcome.js'
import { after } from '../../watch/timer.js'
import { type HeldJobs, Prefetch } from '../claim/prefetch.js'
import { abortAfter } from '../lease/lease-renewer.js'
import { waitUntil } from '../quarantine/quarantine.js'
import { sorted } from '../quarantine/sorted.js'
import type { WorkerScope } from '../scope.js'
import type { Settler } from '../settle/settler.js'
import type { ShutdownError } from './abort-reason.js'
import { callInOwnContext } from './async-context.js'
import type { Attempt } from './attempt.js'
import { type AnyHandler, contextOf } from './context.js'
import { type Call, Run } from './run.js'
import { Turn } from './turn.js'

/** So long (milliseconds) claimed jobs may wait behind handlers that turned out slow; then others may have them. */
const longestWait = 1_000

/**
 * Where handlers run: `concurrency` at once, and behind them a short queue of claimed jobs while handlers are so
 * fast that they would wait for the next fetch. A slot stays taken until its handler has really ended.
 */
export class Slots {
  readonly #scope: WorkerScope
  readonly #call: Call
  readonly #settler: Settler
  readonly #freed: (attempt: Attempt) => void
  readonly #ready: Attempt[] = []
  readonly #running = new Set<Attempt>()
  readonly #decided = (attempt: Attempt, outcome: Outcome) => this.#settler.add(attempt, outcome)
  readonly #ended = ({ attempts }: Run) => {
    for (const attempt of attempts) {
      this.#prefetch.took(performance.now() - (attempt.begunAt ?? Number.NaN))
      this.#free(attempt)
    }
  }
  readonly #onFreed: (() => void)[] = []
  #closed = false
  readonly #turn = new Turn(() => this.#fill())
  readonly #prefetch: Prefetch
  readonly #stallCheck: ReturnType<typeof setInterval>

  /** Handlers begin in the async context in which this is made: that of the worker's `start()`. */
  constructor(scope: WorkerScope, handler: AnyHandler, settler: Settler, freed: (attempt: Attempt) => void) {
    this.#scope = scope
    this.#call = callOf(scope, handler)
    this.#settler = settler
    this.#freed = freed
    this.#prefetch = new Prefetch(scope.settings.concurrency, scope.share.memory)
    this.#stallCheck = setInterval(() => this.#releaseStalled(), longestWait)
  }

  get running(): number {
    return this.#running.size
  }

  /** Handlers that were called and have not ended. */
  get busy(): number {
    return [...this.#running].filter(({ begunAt }) => begunAt !== undefined).length
  }

  get ready(): number {
    return this.#ready.length
  }

  /** Slots in which nothing runs. */
  get free(): number {
    return Math.max(0, this.#scope.settings.concurrency - this.#running.size)
  }

  /** How many more jobs to claim now. */
  get room(): number {
    return this.#scope.share.quarantine.isClosed ? 0 : this.#prefetch.room(this.#held)
  }

  /** How long a handler takes, in milliseconds. */
  get average(): number {
    return this.#prefetch.average
  }

  /** How many bytes of memory the jobs take that were claimed and not settled. */
  get bytes(): number {
    return this.#prefetch.bytesOf(this.#held)
  }

  get #held(): HeldJobs {
    return { running: this.running, ready: this.ready, unwritten: this.#settler.unwritten }
  }

  /** Jobs claimed ahead must not wait for handlers that are not so fast any more. */
  #releaseStalled(): void {
    const running = this.#settler.isFull ? Number.POSITIVE_INFINITY : this.running // then no handler begins either
    if (this.#prefetch.isStalled(running, longestWait)) this.release()
  }

  /** Takes claimed jobs; their handlers start by {@link begin}, or in a slot that is freed. */
  take(attempts: readonly Attempt[]): void {
    this.#prefetch.brought(attempts.map(({ job }) => job))
    if (this.#scope.share.quarantine.isClosed) this.#release(attempts)
    else this.#sort(attempts)
  }

  #sort(attempts: readonly Attempt[]): void {
    const { alone, first, others, released } = sorted(attempts, this.free)
    this.#ready.unshift(...first)
    this.#ready.push(...others)
    this.#release(released)
    if (alone !== undefined) void this.#runAlone(alone)
  }

  begin(): void {
    this.#fill()
  }

  /** Others may have what was claimed and has not begun. */
  release(): void {
    this.#release(this.#ready.splice(0))
  }

  /** The same of these alone. */
  releaseOf(attempts: ReadonlySet<Attempt>): void {
    const ready = Map.groupBy(this.#ready.splice(0), (attempt) => attempts.has(attempt))
    this.#ready.push(...(ready.get(false) ?? []))
    this.#release(ready.get(true) ?? [])
  }

  /** Starts no handler any more, and releases what has not begun. */
  close(): void {
    this.#closed = true
    clearInterval(this.#stallCheck)
    this.release()
    this.#release([...this.#running].filter(({ begunAt }) => begunAt === undefined)) // one that waits to be alone
  }

  #release(unbegun: readonly Attempt[]): void {
    for (const attempt of unbegun) {
      if (attempt.end()) this.#settler.add(attempt, { kind: 'released' })
      if (!attempt.holdsLease && !this.#running.has(attempt)) this.#freed(attempt) // no settler and no slot will
    }
  }

  /** Resolves when no handler runs. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await new Promise<void>((resolve) => this.#onFreed.push(resolve))
  }

  abortAll(reason: ShutdownError): void {
    for (const attempt of this.#running) attempt.abort(reason)
  }

  #fill(): void {
    const { settings, share } = this.#scope
    while (!this.#closed && !share.quarantine.isClosed && this.#running.size < settings.concurrency) {
      if (this.#ready.length === 0 || this.#settler.isFull || this.#turn.isOver) return
      const attempt = this.#ready.shift() as Attempt // it is not empty
      this.#prefetch.moved()
      if (!attempt.mayBegin(settings.lease * abortAfter)) {
        this.#release([attempt])
        continue
      }
      this.#running.add(attempt)
      this.#handle(attempt)
    }
  }

  /**
   * Runs a job while its lease is the only one of its process: from when all others are settled until its own is. Both take a
   * lease at most: handlers may go on for ever, and meanwhile nobody else begins.
   */
  async #runAlone(attempt: Attempt): Promise<void> {
    const { share, settings } = this.#scope
    const hasSlot = () => this.#running.size <= settings.concurrency
    const reopen = share.quarantine.close()
    this.#running.add(attempt)
    await waitUntil(() => !attempt.isOpen || (hasSlot() && share.quarantine.isAlone), settings.lease)
    if (hasSlot() && attempt.mayBegin(settings.lease * abortAfter)) {
      this.#handle(attempt)
      await waitUntil(() => !attempt.holdsLease || this.#closed, settings.lease)
    } else {
      this.#release([attempt])
      this.#free(attempt)
    }
    reopen()
  }

  #free(attempt: Attempt): void {
    this.#running.delete(attempt)
    this.#prefetch.moved()
    this.#fill()
    this.#freed(attempt)
    if (this.#onFreed.length > 0) for (const resolve of this.#onFreed.splice(0)) resolve()
  }

  /** No closure where no timeout needs one: for fast jobs their garbage is what costs. */
  #handle(attempt: Attempt): void {
    const run = new Run(this.#scope, [attempt], this.#decided)
    const { timeout } = this.#scope.settings
    if (!Number.isFinite(timeout)) return void run.call(this.#call, this.#ended)
    const timer = after(timeout, () => run.timeOut())
    void run.call(this.#call, () => {
      timer.cancel()
      this.#ended(run)
    })
  }
}

function callOf(scope: WorkerScope, handler: AnyHandler): Call {
  const inOwnContext = callInOwnContext()
  return ([attempt]) => attempt && inOwnContext(() => handler(attempt.job, contextOf(scope, attempt)))
}
