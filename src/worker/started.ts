import { signalOf } from '../queue/signal.js'
import { channelName, type TableName } from '../schema/names.js'
import { Bell } from '../watch/bell.js'
import { inTime } from '../watch/deadline.js'
import { type Subscription, sharedListener } from '../watch/shared-listener.js'
import { Claimer } from './claim/claimer.js'
import { tellOfFreedKeys } from './claim/freed-keys.js'
import { Deadline } from './deadline.js'
import { fetchHealth } from './health.js'
import { Holds } from './hold/holds.js'
import { keepArchiveOf } from './kept-archive.js'
import { LeaseRenewer } from './lease/lease-renewer.js'
import { Rescuer } from './lease/rescuer.js'
import { memberOf } from './poll-member.js'
import { LeaseLostError, ShutdownError } from './run/abort-reason.js'
import type { Attempt } from './run/attempt.js'
import type { MakeHandling } from './run/handling.js'
import { busyAmong, stuckAmong } from './run/running.js'
import { Slots } from './run/slots.js'
import type { WorkerScope } from './scope.js'
import { Settler } from './settle/settler.js'
import { UntoldJobs } from './untold-jobs.js'

/** After the deadline of a stop: for handlers that heed their signal, for what they leave to write, for the listener. */
const [graceAfterAbort, graceForWriting, graceForClosing] = [400, 300, 200]

/** The parts of a worker that runs, and how they are joined: bell, claimer, slots, settler, lease renewer, rescuer, listener. */
export class StartedWorker {
  readonly #scope: WorkerScope
  readonly #bell = new Bell()
  /** Every attempt that holds its job, by a lease or a transaction, by the job's row. */
  readonly #attempts = new Map<string, Attempt>()
  readonly #settler: Settler
  readonly #slots: Slots
  readonly #holds: Holds
  readonly #claimer: Claimer
  readonly #renewer: LeaseRenewer
  readonly #rescuer: Rescuer
  readonly #subscription: Subscription | undefined
  readonly #leave: () => void
  readonly #leaveQuarantine: () => void
  readonly #leaveMemory: () => void
  readonly #loop: Promise<void>
  readonly #deadline = new Deadline()
  readonly #untold: UntoldJobs
  #stopping: Promise<number> | undefined

  constructor(scope: WorkerScope, makeHandling: MakeHandling) {
    this.#scope = scope
    this.#untold = new UntoldJobs(scope)
    this.#settler = new Settler(
      scope,
      (attempt) => this.#settled(attempt),
      () => this.#wrote(),
    )
    this.#slots = new Slots(scope, makeHandling(scope, this.#settler), this.#settler, (attempt) => this.#freed(attempt))
    this.#holds = new Holds(scope, this.#settler, this.#slots, () => this.#renewer.check())
    this.#renewer = new LeaseRenewer(scope, this.#attempts)
    this.#rescuer = new Rescuer(scope, () => this.#bell.ring())
    this.#claimer = new Claimer(scope, {
      slots: this.#slots,
      holds: this.#holds,
      bell: this.#bell,
      claimed: (attempts) => this.#begin(attempts),
      resting: () => this.#tellIfIdle(),
    })
    scope.pauses.join({ paused: () => this.#paused(), resumed: () => this.#resumed() })
    scope.pauseReader.open()
    this.#subscription = this.#listen(channelName(scope.table))
    this.#renewer.start()
    const [claimer, renewer, rescuer, subscription] = [this.#claimer, this.#renewer, this.#rescuer, this.#subscription]
    const [due, ring] = [(milliseconds: number) => this.#dueByPoll(milliseconds), () => this.#bell.ring()]
    this.#leave = scope.share.poller.join(memberOf({ scope, claimer, renewer, rescuer, subscription, due, ring }))
    this.#leaveQuarantine = scope.share.quarantine.join({
      held: () => this.#held,
      release: () => this.#slots.release(),
      reopened: () => this.#bell.ring(),
    })
    this.#leaveMemory = scope.share.memory.join(() => this.#slots.bytes)
    this.#loop = this.#claimer.run()
  }

  get table(): TableName {
    return this.#scope.table
  }

  get health() {
    const { lease } = this.#scope.settings
    return {
      ...fetchHealth(this.#claimer, lease),
      listener: this.#subscription?.state ?? ('off' as const),
      running: this.#slots.running,
      stuck: stuckAmong(this.#slots.runs, lease),
      leaseMargin: this.#renewer.margin,
    }
  }

  /** Jobs that are held, and may be. */
  get #held(): number {
    const held = [...this.#attempts.values()].filter(({ holdsLease }) => holdsLease).length
    return held + (this.#claimer.isFetching ? 1 : 0)
  }

  keepArchive = (): Promise<boolean> => keepArchiveOf(this.#scope, () => this.#stopping !== undefined)

  /**
   * Claims no more, releases what has not begun, waits for handlers up to the deadline (milliseconds), aborts
   * the rest, and closes everything within a second more. A later call can bring the deadline forward.
   * @returns how many handlers would not end; their jobs run again when their leases expire.
   */
  stop(deadline: number): Promise<number> {
    this.#deadline.within(deadline)
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<number> {
    this.#leave()
    this.#scope.pauseReader.close()
    this.#scope.pauses.close()
    this.#claimer.stop()
    this.#slots.close()
    this.#settler.hurry()
    void this.#holds.end()
    const over = Promise.all([this.#ended(), this.#loop, this.#rescuer.stop()])
    const drained = await Promise.race([over.then(() => true), this.#deadline.passed.then(() => false)])
    this.#deadline.clear()
    if (!drained) await this.#abort()
    this.#settler.close()
    this.#renewer.stop()
    this.#leaveQuarantine()
    this.#leaveMemory()
    this.#bell.close()
    await tellOfFreedKeys(this.#scope)
    await inTime(this.#subscription?.close() ?? Promise.resolve(), graceForClosing)
    return busyAmong(this.#slots.runs)
  }

  /** Handlers first, then the outcomes that they left. */
  async #ended(): Promise<void> {
    await this.#slots.drained()
    await this.#written()
  }

  async #written(): Promise<void> {
    await this.#holds.end()
    await this.#settler.drained()
  }

  /** The deadline has passed: handlers get their signal and a moment, then their outcomes a moment to be written. */
  async #abort(): Promise<void> {
    this.#slots.abortAll(new ShutdownError('The worker was stopped, and its deadline has passed'))
    await inTime(this.#slots.drained(), graceAfterAbort)
    this.#settler.hurry()
    await inTime(Promise.all([this.#written(), this.#loop, this.#rescuer.stop()]), graceForWriting)
  }

  #listen(channel: string): Subscription | undefined {
    const { settings, jobs, tell } = this.#scope
    if (settings.listen === undefined) return undefined
    return sharedListener(jobs.db, settings.listen).subscribe(channel, {
      notified: (payload) => this.#notified(payload),
      changed: (state, reason) => {
        tell('listener', { state, ...(reason && { reason }) })
        this.#bell.ring() // what was notified while nobody listened is found by a sweep
        this.#scope.pauseReader.look()
        this.#scope.share.poller.reschedule()
      },
    })
  }

  #notified(payload: string): void {
    const signal = signalOf(payload)
    this.#untold.told()
    if (signal.kind === 'check leases') this.#renewer.check()
    else if (signal.kind === 'pauses') this.#scope.pauseReader.look()
    else this.#dueIn(Math.max(signal.in, this.#claimer.noticeWait))
  }

  #dueByPoll(milliseconds: number): void {
    const isHeard = this.#subscription?.state === 'listening' && this.#scope.settings.keyed === undefined
    if (this.#claimer.foundNothing && isHeard) this.#untold.found(milliseconds)
    this.#dueIn(milliseconds)
  }

  #dueIn(milliseconds: number): void {
    if (milliseconds > 0) this.#bell.ringIn(milliseconds)
    else this.#bell.ring()
  }

  /** What was claimed and has not begun is another's, or nobody's while all are paused. */
  #paused(): void {
    this.#claimer.failing = undefined // no fetch tells that it is well again
    this.#slots.releaseAll()
  }

  #resumed(): void {
    this.#slots.begin()
    this.#bell.ring()
  }

  #begin(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) {
      const before = this.#attempts.get(attempt.row)
      if (before !== undefined) this.#supersede(before)
      this.#attempts.set(attempt.row, attempt)
    }
    this.#slots.take(attempts)
  }

  /** A job that comes again was taken from its attempt: by a cancel and a retry, by a rescue, or by its own outcome. */
  #supersede(before: Attempt): void {
    const { job, id, attempt } = before
    const reason = new LeaseLostError(
      `Job ${id}, attempt ${attempt}: its row was taken, and has come back to this worker`,
    )
    if (before.supersede(reason)) this.#scope.tell('lost', { job, attempt, reason })
  }

  #settled(attempt: Attempt): void {
    if (attempt.begunAt !== undefined) this.#holds.settled()
    if (this.#attempts.get(attempt.row) === attempt) this.#attempts.delete(attempt.row)
    if (attempt.interruptions > 0) this.#bell.ring() // it may have been released, and others of its kind with it
  }

  /** There is room for handlers whose outcomes can be written, and for jobs in memory. */
  #wrote(): void {
    this.#slots.begin()
    this.#claimer.wrote()
    this.#tellIfIdle()
  }

  #freed(attempt: Attempt): void {
    this.#claimer.slotFreed()
    if (attempt.holdsLease) return
    this.#settled(attempt)
    this.#claimer.wrote()
    this.#tellIfIdle()
  }

  #tellIfIdle(): void {
    if (
      this.#claimer.foundNothing &&
      !this.#scope.pauses.isPaused &&
      this.#attempts.size === 0 &&
      this.#slots.running === 0
    )
      this.#scope.tell('idle', {})
  }
}
