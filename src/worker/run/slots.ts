import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '../../queue/outcome.js'
import { after } from '../../watch/timer.js'
import { Prefetch } from '../claim/prefetch.js'
import { abortAfter } from '../lease/lease-renewer.js'
import { Suspicion } from '../quarantine/suspicion.js'
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

/** How often (milliseconds) a suspect that waits to be alone looks whether it is: nobody has to tell it at each end of a job. */
const lookEvery = 5

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
  readonly #onFreed: (() => void)[] = []
  #closed = false
  readonly #suspicion: Suspicion
  readonly #turn = new Turn(() => this.#fill())
  readonly #prefetch: Prefetch
  readonly #stallCheck: ReturnType<typeof setInterval>

  /** Handlers begin in the async context in which this is made: that of the worker's `start()`. */
  constructor(scope: WorkerScope, handler: AnyHandler, settler: Settler, freed: (attempt: Attempt) => void) {
    this.#scope = scope
    this.#call = callOf(scope, handler)
    this.#settler = settler
    this.#freed = freed
    this.#prefetch = new Prefetch(scope.settings.concurrency)
    this.#suspicion = new Suspicion(scope.settings.lease)
    this.#stallCheck = setInterval(() => this.#giveUpStalled(), longestWait)
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

  /** How many more jobs to claim now. */
  get room(): number {
    if (this.#scope.share.gate.shut) return 0
    const room = this.#prefetch.room(this.running, this.ready)
    return this.expectsSuspect ? Math.min(room, 1) : room
  }

  /** There may be suspects that wait for their turn. */
  get expectsSuspect(): boolean {
    return this.#suspicion.expectsMore
  }

  /** Jobs claimed ahead must not wait for handlers that are not so fast any more. */
  #giveUpStalled(): void {
    const running = this.#settler.isFull ? Number.POSITIVE_INFINITY : this.running // then no handler begins either
    if (this.#prefetch.isStalled(running, longestWait)) this.handBack()
  }

  /** Takes claimed jobs; their handlers start by {@link begin}, or in a slot that is freed. */
  take(attempts: readonly Attempt[], isWhole: boolean): void {
    const { gate } = this.#scope.share
    const suspect = gate.shut ? undefined : this.#suspicion.firstOf(attempts, isWhole)
    this.#ready.push(...attempts.filter((attempt) => attempt !== suspect))
    if (suspect !== undefined) void this.#isolate(suspect)
    if (gate.shut) this.handBack()
  }

  begin(): void {
    this.#fill()
  }

  /** Others may have what was claimed and has not begun. */
  handBack(): void {
    this.#giveUp(this.#ready.splice(0))
  }

  /** Starts no handler any more, and gives up what has not begun. */
  close(): void {
    this.#closed = true
    clearInterval(this.#stallCheck)
    this.handBack()
    this.#giveUp([...this.#running].filter(({ begunAt }) => begunAt === undefined)) // a suspect that waits to be alone
  }

  #giveUp(unbegun: readonly Attempt[]): void {
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
    while (!this.#closed && !share.gate.shut && this.#running.size < settings.concurrency) {
      if (this.#ready.length === 0 || this.#settler.isFull || this.#turn.isOver) return
      const attempt = this.#ready.shift() as Attempt // it is not empty
      this.#prefetch.moved()
      if (!attempt.mayBegin(settings.lease * abortAfter)) {
        this.#giveUp([attempt])
        continue
      }
      this.#running.add(attempt)
      void this.#handle(attempt)
    }
  }

  /** Runs a suspect while its lease is the only one of its process: from when all others are settled until it is. */
  async #isolate(attempt: Attempt): Promise<void> {
    const { share, settings } = this.#scope
    const open = share.gate.close()
    const end = performance.now() + this.#suspicion.timeAlone
    const latest = performance.now() + settings.lease // handlers that take so long may take for ever, and nobody else begins
    await this.#beginWhen(attempt, () => share.gate.isLast || performance.now() >= latest)
    while (attempt.holdsLease && !this.#closed && performance.now() < end) await look()
    open()
  }

  /** Holds a slot for a suspect until it may begin, and begins it. */
  async #beginWhen(attempt: Attempt, mayBegin: () => boolean): Promise<void> {
    this.#running.add(attempt)
    const tooMany = () => this.#running.size > this.#scope.settings.concurrency
    while (attempt.isOpen && (tooMany() || !mayBegin())) await look()
    if (attempt.isOpen && !attempt.mayBegin(this.#scope.settings.lease * abortAfter)) this.#giveUp([attempt])
    if (!attempt.isOpen) return this.#free(attempt)
    void this.#handle(attempt)
    this.#fill()
  }

  #free(attempt: Attempt): void {
    this.#running.delete(attempt)
    this.#prefetch.moved()
    this.#fill()
    this.#freed(attempt)
    if (this.#onFreed.length > 0) for (const resolve of this.#onFreed.splice(0)) resolve()
  }

  /** Never rejects. No closure where no timeout needs one: for fast jobs their garbage is what costs. */
  async #handle(attempt: Attempt): Promise<void> {
    const run = new Run(this.#scope, [attempt], this.#decided)
    const { timeout } = this.#scope.settings
    const timer = Number.isFinite(timeout) ? after(timeout, () => run.timeOut()) : undefined
    const start = performance.now()
    await run.call(this.#call)
    timer?.cancel()
    this.#prefetch.took(performance.now() - start)
    this.#free(attempt)
  }
}

function callOf(scope: WorkerScope, handler: AnyHandler): Call {
  const inOwnContext = callInOwnContext()
  return ([attempt]) => attempt && inOwnContext(() => handler(attempt.job, contextOf(scope, attempt)))
}

/** Does not keep a process that has nothing else to do. */
function look(): Promise<void> {
  return sleep(lookEvery, undefined, { ref: false })
}
