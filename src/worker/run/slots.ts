import { isLimited } from '../../queue/claim.js'
import type { Outcome } from '../../queue/outcome.js'
import { after } from '../../watch/timer.js'
import { type HeldJobs, Prefetch } from '../claim/prefetch.js'
import { abortAfter } from '../lease/lease-renewer.js'
import { waitUntil } from '../quarantine/quarantine.js'
import { sorted } from '../quarantine/sorted.js'
import type { WorkerScope } from '../scope.js'
import type { Settler } from '../settle/settler.js'
import type { ShutdownError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import type { Handling } from './handling.js'
import { Run } from './run.js'
import { Turn } from './turn.js'

/** So long (milliseconds) claimed jobs may wait behind handlers that turned out slow; then others may have them. */
const longestWait = 1_000

/**
 * Where handlers run: `concurrency` at once, and behind them a short queue of claimed jobs while handlers are so
 * fast that they would wait for the next fetch. A slot stays taken until its handler has really ended.
 */
export class Slots {
  readonly #scope: WorkerScope
  readonly #handling: Handling
  readonly #settler: Settler
  readonly #freed: (attempt: Attempt) => void
  readonly #ready: Attempt[] = []
  readonly #runs = new Set<Run>()
  /** How many attempts they have. */
  #running = 0
  /** Those that wait to be alone. */
  readonly #alone = new Set<Attempt>()
  readonly #decided = (attempt: Attempt, outcome: Outcome) => this.#settler.add(attempt, outcome)
  readonly #ended = (run: Run) => {
    const begunAt = run.attempts[0]?.begunAt
    this.#prefetch.took(begunAt === undefined ? 0 : performance.now() - begunAt)
    this.#free(run)
  }
  readonly #onFreed: (() => void)[] = []
  #closed = false
  readonly #turn = new Turn(() => this.#fill())
  readonly #prefetch: Prefetch
  readonly #isLimited: boolean
  readonly #stallCheck: ReturnType<typeof setInterval>

  constructor(scope: WorkerScope, handling: Handling, settler: Settler, freed: (attempt: Attempt) => void) {
    this.#scope = scope
    this.#handling = handling
    this.#settler = settler
    this.#freed = freed
    this.#isLimited = scope.settings.keyed !== undefined && isLimited(scope.settings.keyed)
    this.#prefetch = new Prefetch(scope.settings.concurrency, scope.share.memory, handling.size)
    this.#stallCheck = setInterval(() => this.#releaseStalled(), longestWait)
  }

  get running(): number {
    return this.#runs.size
  }

  /** Those that have a slot. */
  get runs(): ReadonlySet<Run> {
    return this.#runs
  }

  get ready(): number {
    return this.#ready.length
  }

  /** How many jobs the slots take in which nothing runs. */
  get free(): number {
    return Math.max(0, this.#scope.settings.concurrency - this.#runs.size) * this.#handling.size
  }

  /** Jobs may be claimed and begun. */
  get #isOpen(): boolean {
    return !this.#scope.share.quarantine.isClosed && this.#scope.pauses.isOpen
  }

  /** How many more jobs to claim now: where they are limited, none ahead, as what waits here counts as running. */
  get room(): number {
    if (!this.#isOpen) return 0
    const room = this.#prefetch.room(this.#held)
    return this.#isLimited ? Math.min(room, this.free) : room
  }

  /** How long a handler takes, in milliseconds. */
  get average(): number {
    return this.#prefetch.average
  }

  /** How many bytes of memory the jobs take that were claimed and not settled. */
  get bytes(): number {
    return this.#prefetch.bytesOf({ ...this.#held, running: this.#running })
  }

  get #held(): HeldJobs {
    return { running: this.#taken, ready: this.ready, unwritten: this.#settler.unwritten }
  }

  /** How many jobs the slots take in which something runs, however few those are. */
  get #taken(): number {
    return this.#runs.size * this.#handling.size
  }

  /** Jobs claimed ahead must not wait for handlers that are not so fast any more. */
  #releaseStalled(): void {
    const taken = this.#settler.isFull ? Number.POSITIVE_INFINITY : this.#taken // then no handler begins either
    if (this.#prefetch.isStalled(taken, longestWait)) this.release()
  }

  /** Takes claimed jobs; their handlers start by {@link begin}, or in a slot that is freed. */
  take(attempts: readonly Attempt[]): void {
    this.#prefetch.brought(attempts.map(({ job }) => job))
    const { share, pauses } = this.#scope
    const wasPaused = (attempts[0]?.claimedAt ?? 0) < pauses.pausedAt // since they were asked for
    if (share.quarantine.isClosed || pauses.isPaused || wasPaused) this.#release(attempts)
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
    this.releaseAll()
  }

  /** Releases also what waits to be alone. */
  releaseAll(): void {
    this.release()
    this.#release([...this.#alone].filter(({ begunAt }) => begunAt === undefined))
  }

  #release(unbegun: readonly Attempt[]): void {
    for (const attempt of unbegun) {
      if (attempt.end()) this.#settler.add(attempt, { kind: 'released' })
      if (!attempt.holdsLease && !this.#alone.has(attempt)) this.#freed(attempt) // no settler and no slot will
    }
  }

  /** Resolves when no handler runs. */
  async drained(): Promise<void> {
    while (this.#runs.size > 0) await new Promise<void>((resolve) => this.#onFreed.push(resolve))
  }

  abortAll(reason: ShutdownError): void {
    for (const { attempts } of this.#runs) for (const attempt of attempts) attempt.abort(reason)
  }

  #fill(): void {
    const { settings } = this.#scope
    while (!this.#closed && this.#isOpen && this.#runs.size < settings.concurrency) {
      if (this.#ready.length === 0 || this.#settler.isFull || this.#turn.isOver) return
      const next = this.#next()
      this.#prefetch.moved()
      if (next.length > 0) this.#handle(this.#run(next))
    }
  }

  /** Those that go together: as many as the handler takes, all held by leases or all by one transaction. */
  #next(): readonly Attempt[] {
    const holder = this.#ready[0]?.holder
    const most = Math.min(this.#handling.size, this.#ready.length)
    let count = 1
    while (count < most && this.#ready[count]?.holder === holder) count += 1
    const next = this.#ready.splice(0, count)
    const limit = this.#scope.settings.lease * abortAfter
    const mayBegin = (attempt: Attempt) => attempt.mayBegin(limit)
    if (next.every(mayBegin)) return next
    const among = Map.groupBy(next, mayBegin)
    this.#release(among.get(false) ?? [])
    return among.get(true) ?? []
  }

  /**
   * Runs a job while its lease is the only one of its process: from when all others are settled until its own is. Both take a
   * lease at most: handlers may go on for ever, and meanwhile nobody else begins.
   */
  async #runAlone(attempt: Attempt): Promise<void> {
    const { share, settings } = this.#scope
    const hasSlot = () => this.#runs.size <= settings.concurrency
    const reopen = share.quarantine.close()
    this.#alone.add(attempt)
    const run = this.#run([attempt])
    await waitUntil(() => !attempt.isOpen || (hasSlot() && share.quarantine.isAlone), settings.lease)
    if (hasSlot() && attempt.mayBegin(settings.lease * abortAfter)) {
      this.#handle(run)
      await waitUntil(() => !attempt.holdsLease || this.#closed, settings.lease)
    } else {
      this.#release([attempt])
      this.#free(run)
    }
    reopen()
  }

  /** Takes a slot. */
  #run(attempts: readonly Attempt[]): Run {
    const run = new Run(this.#scope, this.#handling, attempts, this.#decided)
    this.#runs.add(run)
    this.#running += attempts.length
    return run
  }

  #free(run: Run): void {
    this.#runs.delete(run)
    this.#running -= run.attempts.length
    this.#prefetch.moved()
    this.#fill()
    for (const attempt of run.attempts) {
      this.#alone.delete(attempt)
      this.#freed(attempt)
    }
    if (this.#onFreed.length > 0) for (const resolve of this.#onFreed.splice(0)) resolve()
  }

  /** No closure where no timeout needs one: for fast jobs their garbage is what costs. */
  #handle(run: Run): void {
    const { timeout } = this.#scope.settings
    if (!Number.isFinite(timeout)) return void run.call(this.#ended)
    const timer = after(timeout, () => run.timeOut())
    void run.call(() => {
      timer.cancel()
      this.#ended(run)
    })
  }
}
