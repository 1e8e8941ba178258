import type { Ending } from '../queue/outcome.js'
import { after, type Timer } from '../watch/timer.js'
import { type ShutdownError, TimeoutError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import { type AnyHandler, contextOf } from './context.js'
import { endingOfError, endingOfTimeout, endingOfValue } from './ending.js'
import type { Leave } from './gate.js'
import { abortAfter } from './heart.js'
import type { WorkerScope } from './scope.js'
import type { Settler } from './settler.js'

/** So much work (milliseconds) is claimed ahead at most, and so many rows: enough to bridge a fetch, too little to hoard. */
const workAhead = 50
const rowsAhead = 500

/** So long (milliseconds) claimed jobs may wait behind handlers that turned out slow; then others may have them. */
const longestWait = 1_000

/** A suspect waits this share of its lease for the others to end, then is put off. */
const suspectPatience = 1 / 6

/**
 * Where handlers run: `concurrency` at once, and behind them a short queue of claimed jobs while handlers are so
 * fast that they would wait for the next fetch. A slot stays taken until its handler has really ended.
 */
export class Slots {
  readonly #scope: WorkerScope
  readonly #handler: AnyHandler
  readonly #settler: Settler
  readonly #freed: (attempt: Attempt) => void
  readonly #ready: Attempt[] = []
  readonly #running = new Set<Attempt>()
  readonly #onFreed: (() => void)[] = []
  #closed = false
  /** How long a handler takes, in milliseconds: a moving average. */
  #pace = workAhead
  /** When (monotonic milliseconds) the last slot was taken or freed. */
  #lastMove = performance.now()
  readonly #stallCheck: ReturnType<typeof setInterval>

  constructor(scope: WorkerScope, handler: AnyHandler, settler: Settler, freed: (attempt: Attempt) => void) {
    this.#scope = scope
    this.#handler = handler
    this.#settler = settler
    this.#freed = freed
    this.#stallCheck = setInterval(() => this.#giveUpStalled(), longestWait)
  }

  get running(): number {
    return this.#running.size
  }

  /** Handlers that were called and have not ended. */
  get busy(): number {
    return [...this.#running].filter(({ begun }) => begun).length
  }

  get ready(): number {
    return this.#ready.length
  }

  /** How many more jobs to claim now; 0 while more than half of what is claimed ahead is still there. */
  get room(): number {
    const { concurrency } = this.#scope.settings
    const perWorkAhead = (concurrency * workAhead) / Math.max(0.1, this.#pace)
    const ahead = this.#stalled(workAhead)
      ? 0
      : Math.min(rowsAhead, Math.max(0, Math.floor(perWorkAhead) - concurrency))
    if (this.ready > ahead / 2) return 0
    return Math.max(0, concurrency + ahead - this.running - this.ready)
  }

  /** All slots are taken, and none of them was freed for so long. */
  #stalled(limit: number): boolean {
    return this.running >= this.#scope.settings.concurrency && performance.now() - this.#lastMove > limit
  }

  /** Jobs claimed ahead must not wait for handlers that are not so fast any more, nor those at the gate for a suspect. */
  #giveUpStalled(): void {
    if (this.#stalled(longestWait)) this.#giveUp(this.#unbegun().filter(({ suspect }) => !suspect))
  }

  take(attempts: readonly Attempt[]): void {
    this.#ready.push(...attempts)
    this.#fill()
  }

  /** Starts no handler any more, and gives up what has not begun. */
  close(): void {
    this.#closed = true
    clearInterval(this.#stallCheck)
    this.#giveUp(this.#unbegun())
  }

  /** Empties the queue; those at the gate find out that they have ended when it opens. */
  #unbegun(): Attempt[] {
    return [...this.#ready.splice(0), ...[...this.#running].filter(({ begun }) => !begun)]
  }

  #giveUp(unbegun: readonly Attempt[]): void {
    for (const attempt of unbegun) {
      this.#end(attempt, { kind: 'released' })
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
    while (!this.#closed && this.#running.size < this.#scope.settings.concurrency) {
      const attempt = this.#ready.shift()
      if (attempt === undefined) return
      this.#lastMove = performance.now()
      // Lost or cancelled while it waited; or the process stood still, and by now another may have it.
      const overdue = this.#lastMove - attempt.renewedAt >= this.#scope.settings.lease * abortAfter
      if (overdue || !attempt.holdsLease) {
        this.#giveUp([attempt])
        continue
      }
      this.#running.add(attempt)
      const leave = attempt.suspect ? undefined : this.#scope.share.gate.tryEnter()
      if (leave !== undefined) void this.#handle(attempt, leave)
      else void this.#handleInTurn(attempt)
    }
  }

  async #handleInTurn(attempt: Attempt): Promise<void> {
    const leave = await this.#waitAtGate(attempt)
    if (leave !== undefined) await this.#handle(attempt, leave)
    else this.#free(attempt)
  }

  #free(attempt: Attempt): void {
    this.#running.delete(attempt)
    this.#lastMove = performance.now()
    this.#fill()
    this.#freed(attempt)
    if (this.#onFreed.length > 0) for (const resolve of this.#onFreed.splice(0)) resolve()
  }

  /** Waits to run alone, or for a suspect to be done; undefined when it is not to run after all. */
  async #waitAtGate(attempt: Attempt): Promise<Leave | undefined> {
    const { share, settings } = this.#scope
    const patience = attempt.suspect ? settings.lease * suspectPatience : Number.POSITIVE_INFINITY
    const leave = await share.gate.enter(attempt.suspect, patience)
    if (leave !== undefined && attempt.holdsLease && !attempt.ended) return leave
    leave?.()
    this.#end(attempt, { kind: 'snoozed', delay: settings.lease * Math.random() })
    return undefined
  }

  /** Never rejects. One promise, and no closure where no timeout needs one: for fast jobs their garbage is what costs. */
  async #handle(attempt: Attempt, leave: Leave): Promise<void> {
    const scope = this.#scope
    const start = performance.now()
    attempt.begun = true
    const timer = Number.isFinite(scope.settings.timeout) ? this.#timer(attempt) : undefined
    try {
      const value = await this.#handler(attempt.job, contextOf(scope, attempt))
      if (!attempt.ended) this.#end(attempt, endingOfValue(scope, attempt, value))
    } catch (thrown) {
      this.#fail(attempt, thrown)
    }
    timer?.cancel()
    leave()
    this.#pace += (performance.now() - start - this.#pace) / 16
    this.#free(attempt)
  }

  #fail(attempt: Attempt, thrown: unknown): void {
    try {
      if (attempt.completed && !attempt.signal.aborted) this.#warn(attempt, thrown)
      if (!attempt.ended) this.#end(attempt, endingOfError(this.#scope, attempt, thrown))
    } catch (error) {
      this.#scope.report(error, 'running a job')
    }
  }

  /** What a handler throws after its completion changes nothing, and would be seen nowhere. */
  #warn({ job, id, attempt }: Attempt, thrown: unknown): void {
    const { logger, describeError } = this.#scope.settings
    const table = this.#scope.userJobs.name
    const facts = { table, id, attempt, error: describeError(thrown, job) }
    logger.warn(facts, `${table}: the handler threw after it had completed its job`)
  }

  #timer(attempt: Attempt): Timer {
    return after(this.#scope.settings.timeout, () => this.#timeOut(attempt))
  }

  #timeOut(attempt: Attempt): void {
    const reason = new TimeoutError(
      `Job ${attempt.id}, attempt ${attempt.attempt}: timeout of ${this.#scope.settings.timeout} ms reached`,
    )
    attempt.abort(reason)
    if (!attempt.ended) this.#end(attempt, endingOfTimeout(this.#scope, attempt, reason))
  }

  /** The first ending counts: what a handler does after its timeout, or without its lease, is not written. */
  #end(attempt: Attempt, ending: Ending): void {
    if (attempt.ended) return
    attempt.ended = true
    if (attempt.holdsLease) this.#settler.add(attempt, ending)
  }
}
